# SPDX-License-Identifier: Apache-2.0
"""Name the files of a bundle, and read and verify one of them."""

import hashlib
from pathlib import Path

from lsood_runtime._bundle.records import FileRecord
from lsood_runtime._exceptions import BundleError

MANIFEST_FILE, SEGMENTATION_FILE, DETECTOR_FILE = "manifest.json", "segmentation.onnx", "detector.onnx"
GOLDEN_FILE, WEIGHTS_FILE = "golden.npz", "weights.bin"


def read_file(path: Path) -> bytes:
    """Read the bytes of a file.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"expected to read {path}, got {error.strerror}: check its permissions") from error


def read_verified(folder: Path, name: str, record: FileRecord) -> bytes:
    """Read the file ``name`` of the bundle in ``folder``, and compare length and digest with the manifest's record.

    Raises:
        BundleError: the name leads out of the folder, or the file is missing, a link, or another than the recorded one.
    """
    if Path(name).name != name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise BundleError(
            f"expected plain file names in the manifest, got {name!r}, which leads out of the bundle: export it again"
        )
    path = folder / name
    try:
        is_link, is_file = path.is_symlink(), path.is_file()
    except OSError as error:
        raise BundleError(f"expected to find {path}, got {error.strerror}: export the bundle again") from error
    if is_link:
        raise BundleError(f"expected {name} to be a file of the bundle, it is a link: copy the bundle with its files")
    if not is_file:
        raise BundleError(f"expected the file {name} in {folder}, it is missing: copy the whole bundle")
    contents = read_file(path)
    if len(contents) != record.bytes:
        raise BundleError(
            f"expected {name} to have {record.bytes} bytes, got {len(contents)}: it was cut off or replaced, "
            "copy the bundle again"
        )
    digest = hashlib.sha256(contents).hexdigest()
    if digest != record.sha256:
        raise BundleError(
            f"expected {name} with sha256 {record.sha256[:12]}..., got {digest[:12]}...: it was changed "
            "after export, copy the bundle again"
        )
    return contents
