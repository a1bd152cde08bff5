# SPDX-License-Identifier: Apache-2.0
"""Pack a verified bundle into one file, of the same bytes on every machine."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from lsood_runtime._arguments import check_path
from lsood_runtime._bundle.archive_files import ARCHIVE_SUFFIXES
from lsood_runtime._bundle.bundle_files import open_files
from lsood_runtime._bundle.reader import every_file, read_bundle
from lsood_runtime._destination import is_read, objection
from lsood_runtime._exceptions import MediaError, reason_of
from lsood_runtime._partial_file import whole_file

_DATE, _SECONDS = (1980, 1, 1, 0, 0, 0), 315532800
"""Of every file in an archive: the first that a zip can state, as its fields and since 1970."""

_MODE = 0o100644


def pack_bundle(
    bundle: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    expected_sha256: str | None = None,
    public_key: str | os.PathLike[str] | None = None,
) -> str:
    """Verify a bundle and pack it into a ``.zip`` or ``.tar``, without compression, whole or not at all.

    The same bundle gives the same bytes on every machine: names are sorted, dates and owners are left out.

    Args:
        bundle: its folder, or an archive of it.
        out: file to write; its suffix says which archive. An older one is replaced.
        expected_sha256: digest that the bundle's manifest must have; None for any.
        public_key: PEM file of the key that must have signed the bundle; None for no signature.

    Returns:
        SHA-256 of the manifest in hex.

    Raises:
        TypeError: no path; ValueError: ``expected_sha256`` is no digest.
        BundleError: the bundle is damaged, another one, or not signed with the key.
        MediaError: the file cannot be written.
    """
    source = Path(check_path(bundle, "the path of a bundle", "pass the folder that export wrote, or its .zip or .tar"))
    place = Path(check_path(out, "the path of an archive", "pass a file that ends in .zip or .tar"))
    _check_place(place, source)
    with open_files(source) as files:
        read = read_bundle(files, expected_sha256=expected_sha256, public_key=public_key)
        contents = every_file(read, files)
    _write(place, contents)
    return read.sealed.sha256


def _check_place(out: Path, bundle: Path) -> None:
    if out.suffix not in ARCHIVE_SUFFIXES:
        raise MediaError(f"expected a file that ends in {' or '.join(ARCHIVE_SUFFIXES)}, got {out}: rename it")
    if not os.path.isdir(out.absolute().parent):  # noqa: PTH112  of a name that no file system takes it is False as well
        raise MediaError(f"cannot write {out}: expected the folder {out.absolute().parent} to exist; make it")
    reason = objection(out, folder=False)
    if reason is not None:
        raise MediaError(f"cannot write {out}: {reason}; choose another file")
    if out.exists() and is_read(out.resolve(), [bundle]):
        raise MediaError(f"expected another file than the one that is read, got {out}: choose another file")


def _write(out: Path, contents: Mapping[str, bytes]) -> None:
    try:
        with whole_file(out) as file:
            (_write_zip if out.suffix == ".zip" else _write_tar)(file, contents)
    except OSError as error:
        raise MediaError(f"cannot write {out}: {reason_of(error)}; choose another file") from error


def _write_zip(file: BinaryIO, contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, _MODE << 16
            archive.writestr(entry, contents[name])


def _write_tar(file: BinaryIO, contents: Mapping[str, bytes]) -> None:
    import tarfile  # here, since a vehicle that opens a bundle needs none of it

    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(contents):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(contents[name]), _SECONDS, _MODE & 0o777
            archive.addfile(entry, io.BytesIO(contents[name]))
