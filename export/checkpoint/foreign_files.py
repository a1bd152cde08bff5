# SPDX-License-Identifier: Apache-2.0
"""Recognise files of other kinds that are given as a checkpoint, by their first bytes."""

from pathlib import Path

from export.errors import CheckpointError

_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS, which stands for the file: fetch it by `git lfs pull`"),
    (b"<!doctype html", "a page of the web, as a download without a login gives: download the file itself"),
    (b"<html", "a page of the web, as a download without a login gives: download the file itself"),
    (b"\x1f\x8b", "compressed by gzip: unpack it"),
    (b"\xfd7zXZ\0", "compressed by xz: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes: give the file that PyTorch wrote"),
    (b"\x93NUMPY", "an array of numpy: give the file that PyTorch wrote"),
    (b"\x89PNG\r\n\x1a\n", "a picture: give it as --frames, and the checkpoint as --ckpt"),
    (b"\xff\xd8\xff", "a picture: give it as --frames, and the checkpoint as --ckpt"),
    (b"%pdf", "a PDF: give the file that PyTorch wrote"),
)
"""How files begin that no torch.save and no pickle begins like, letters in lower case or not; what they are, and a remedy."""


def refuse_foreign_file(path: Path) -> None:
    """Refuse a file of a known kind that is no checkpoint; any other passes.

    Raises:
        CheckpointError: a file such as a pointer of Git LFS, a page of the web or a picture.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    for sign, what in _KINDS:
        if start.startswith(sign) or start.lower().startswith(sign):
            raise CheckpointError(f"expected a checkpoint, {path} is {what}")
