# SPDX-License-Identifier: Apache-2.0
"""The files of a bundle in a ``.zip`` or ``.tar``: read from where they lie in it, never unpacked to disk.

An archive is not trusted. Its entries are listed and judged before one is read: plain files alone, at its top or all in
one folder, each name once. A file is read once its stated length fits the manifest, and no byte more than that.
"""

import os
import re
import stat
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lsood_runtime._bundle.archive_entry import ArchiveEntry, DamagedArchiveError
from lsood_runtime._bundle.files import check_length, missing_file
from lsood_runtime._bundle.tar_entries import is_tar, tar_entries
from lsood_runtime._bundle.zip_entries import is_zip, zip_entries
from lsood_runtime._exceptions import BundleError, one_line, reason_of
from lsood_runtime._plain_file import OPENED

ARCHIVE_SUFFIXES = (".zip", ".tar")
"""Of the archives that a bundle is packed into; one is known by its contents, whatever its name."""

_PACK = "pack it by `lsood pack`"
_BLOCK = 2**20
_MOST_ENTRIES = 1000
_LARGEST_RATIO = 100
"""Bytes that a byte of a packed file may unpack to, beyond the first megabyte."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DRIVE = re.compile(r"[A-Za-z]:")


@contextmanager
def open_archive(path: Path) -> Iterator["ArchiveFiles"]:
    """Open an archive and list its entries.

    Raises:
        BundleError: no archive of files, a damaged one, or one with entries that no bundle has.
    """
    try:
        file = os.fdopen(os.open(path, OPENED), "rb")
    except OSError as error:
        raise BundleError(f"expected to read {path}, got {reason_of(error)}: check its permissions") from error
    with file:
        yield ArchiveFiles(path, file)


class ArchiveFiles:
    """The files of a bundle in an open archive, by name.

    Args:
        place: of the archive, for messages.
        file: it, open for reading.

    Raises:
        BundleError: as :func:`open_archive`.
    """

    def __init__(self, place: Path, file: BinaryIO) -> None:
        self.place, self._file = place, file
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"expected a bundle folder or archive, got what is neither at {place}: check the path")
        try:
            self._entries = _by_name(place, _list_entries(place, file, status.st_size))
        except (DamagedArchiveError, OSError) as error:
            raise _damaged(place, error) from error

    def names(self) -> Collection[str]:
        """Names of all files."""
        return self._entries.keys()

    def holds(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._entries

    def read(self, name: str, largest: int, *, length: int | None = None) -> bytes:
        """Read a file, once its stated length fits.

        Args:
            name: of the file.
            largest: bytes that it may have.
            length: bytes that it must have; None where that is not known.

        Raises:
            BundleError: it is missing, of another length than wanted or stated, or cannot be read.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise missing_file(name, self.place)
        check_length(name, entry.size, largest, length)
        if entry.size > _BLOCK + _LARGEST_RATIO * entry.packed:
            raise BundleError(
                f"expected {name} to unpack to at most {_LARGEST_RATIO} times its bytes in {self.place}, got {entry.packed} "
                f"that state {entry.size}: {_PACK}, which does not compress"
            )
        try:
            self._file.seek(entry.start)
            contents = self._inflated(entry) if entry.deflated else self._file.read(entry.size)
        except (OSError, zlib.error) as error:
            raise _damaged(self.place, error) from error
        except MemoryError as error:
            raise BundleError(
                f"expected memory for the {entry.size:,} bytes of {name}, there is none: free some"
            ) from error
        if len(contents) != entry.size:
            raise _damaged(self.place, f"{name} with another length than it states")
        return contents

    def _inflated(self, entry: ArchiveEntry) -> bytes:
        """Unpack a file block by block, to one byte more than it states at most."""
        inflate, left, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), entry.packed, BytesIO()
        while left and unpacked.tell() <= entry.size and not inflate.eof:
            block = self._file.read(min(left, _BLOCK))
            left -= len(block) or left
            while block and unpacked.tell() <= entry.size:
                unpacked.write(inflate.decompress(block, entry.size + 1 - unpacked.tell()))
                block = inflate.unconsumed_tail
        return unpacked.getvalue()


def _list_entries(place: Path, file: BinaryIO, size: int) -> Sequence[ArchiveEntry]:
    head = file.read(512)
    if is_zip(head):
        return zip_entries(file, size, _MOST_ENTRIES)
    if is_tar(head):
        return tar_entries(file, size, _MOST_ENTRIES)
    packer = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)
    if packer is not None:
        raise BundleError(
            f"expected a .zip or a plain .tar, got {place}, which is packed by {packer} as a whole: no file can be read "
            f"without all before it; unpack it, or {_PACK}"
        )
    raise BundleError(
        f"expected a bundle folder, or a .zip or .tar of one, got {place}, which is neither: check the path"
    )


def _by_name(place: Path, entries: Sequence[ArchiveEntry]) -> dict[str, ArchiveEntry]:
    """The files by their names in the bundle: at the top of the archive, or all in one folder of it.

    Raises:
        BundleError: another kind of entry, a name that leads out, a folder within a bundle, or a name twice.
    """
    files, folders, spelt = dict[str, ArchiveEntry](), set[str](), dict[str, str]()
    for entry in entries:
        parts = _parts(place, entry.name)
        if entry.folder:
            folders |= {"/".join(parts)} - {""}
            continue
        name = parts[-1] if parts else ""
        folders.add("/".join(parts[:-1]))
        other = spelt.setdefault(name.casefold(), entry.name)
        if name in files or other != entry.name:
            raise BundleError(f"expected each file once in {place}, got {other!r} and {entry.name!r}: {_PACK}")
        files[name] = entry
    deepest = max(folders, key=len, default="")
    if len(folders) > 1 or "/" in deepest:
        raise BundleError(
            f"expected the files of one bundle in {place}, at its top or all in one folder, got them in {len(folders)} "
            f"places, such as {deepest!r}: {_PACK}"
        )
    return files


def _parts(place: Path, name: str) -> list[str]:
    """The folders and the name of an entry."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or _DRIVE.match(name):
        raise BundleError(f"expected plain file names in {place}, got {name!r}, which leads out of the bundle: {_PACK}")
    return parts


def _damaged(place: Path, error: Exception | str) -> BundleError:
    words = reason_of(error) if isinstance(error, Exception) else one_line(error)
    return BundleError(f"expected a whole archive at {place}, got {words}: copy it again")
