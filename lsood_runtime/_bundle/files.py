# SPDX-License-Identifier: Apache-2.0
"""Name the files of a bundle, and read and verify one of them in a folder."""

import os
import stat
from pathlib import Path

from lsood_runtime._bundle.digests import sha256_hex
from lsood_runtime._bundle.records import FileRecord
from lsood_runtime._exceptions import BundleError
from lsood_runtime._plain_file import OPENED

SEGMENTATION_FILE, DETECTOR_FILE = "segmentation.onnx", "detector.onnx"
GOLDEN_FILE, WEIGHTS_FILE, SIGNATURE_FILE = "golden.npz", "weights.bin", "model.sig"

LARGEST_FILE = 8 * 2**30
"""Bytes of any file of a bundle, at most."""

LARGEST_MANIFEST, MOST_VALUES = 64 * 2**20, 4_000_000
"""Bytes and values of a manifest, at most: enough for the scores of two million calibration frames."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def read_file(path: Path, largest: int, *, length: int | None = None, follow_link: bool = False) -> bytes:
    """Read the bytes of a regular file, once what the file system says of it fits.

    Args:
        path: of the file.
        largest: bytes that it may have.
        length: bytes that it must have; None where that is not known.
        follow_link: read the file behind a link.

    Raises:
        BundleError: it is missing, a link, no regular file, of another length, or cannot be read.
    """
    try:
        status = path.stat(follow_symlinks=follow_link)
    except FileNotFoundError as error:
        raise missing_file(path.name, path.parent) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"expected to find {path}, got {_reason(error)}: export the bundle again") from error
    if stat.S_ISLNK(status.st_mode):
        raise BundleError(
            f"expected {path.name} to be a file of the bundle, it is a link: copy the bundle with its files"
        )
    _check_status(path, status, largest, length)
    try:
        descriptor = os.open(path, OPENED | (0 if follow_link else _NO_LINK))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _check_status(path, status, largest, length)
            contents = file.read(status.st_size)
            grown = file.read(1)
    except OSError as error:
        raise BundleError(f"expected to read {path}, got {_reason(error)}: check its permissions") from error
    except MemoryError as error:
        raise BundleError(
            f"expected memory for the {status.st_size:,} bytes of {path.name}, there is none: free some"
        ) from error
    if grown or len(contents) != status.st_size:
        raise BundleError(f"expected {path.name} to stay as it is while it is read, it changed: copy the bundle again")
    return contents


def check_plain_name(name: str) -> None:
    """Refuse the name of a file in a manifest that leads out of the bundle.

    Raises:
        BundleError: it does.
    """
    if Path(name).name != name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise BundleError(
            f"expected plain file names in the manifest, got {name!r}, which leads out of the bundle: export it again"
        )


def check_length(name: str, size: int, largest: int, length: int | None) -> None:
    """Refuse a file by its length, before it is read.

    Args:
        name: of the file.
        size: its bytes, as they are stated where it lies.
        largest: bytes that it may have.
        length: bytes that it must have; None where that is not known.

    Raises:
        BundleError: it has others.
    """
    if length is not None and size != length:
        raise BundleError(
            f"expected {name} to have {length} bytes, got {size}: it was cut off or replaced, copy the bundle again"
        )
    if size > largest:
        raise BundleError(
            f"expected {name} to have at most {largest} bytes, got {size}: it was replaced, copy the bundle again"
        )


def missing_file(name: str, place: Path) -> BundleError:
    """The error of a file that is not in the folder or archive of its bundle."""
    return BundleError(f"expected the file {name} in {place}, it is missing: copy the whole bundle")


def check_digest(name: str, contents: bytes, record: FileRecord) -> None:
    """Compare the bytes of a file with the digest that the manifest records.

    Raises:
        BundleError: they are others.
    """
    digest = sha256_hex(contents)
    if digest != record.sha256:
        raise BundleError(
            f"expected {name} with sha256 {record.sha256[:12]}..., got {digest[:12]}...: it was changed "
            "after export, copy the bundle again"
        )


def _check_status(path: Path, status: os.stat_result, largest: int, length: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(
            f"expected the file {path.name} in {path.parent}, got what is no regular file: copy the whole bundle"
        )
    check_length(path.name, status.st_size, largest, length)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
