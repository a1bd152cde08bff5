# SPDX-License-Identifier: Apache-2.0
"""Write a bundle whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import UsageError
from lsood_runtime import Manifest

_MARK = "manifest.json"


def check_destination(out: Path, overwrite: bool) -> None:
    """Refuse a destination that could not be written to in the end, before the costly work begins.

    Raises:
        UsageError: the destination exists and may not be replaced, is no bundle, or its parent is missing or read-only.
    """
    if not out.parent.is_dir():
        raise UsageError(f"expected the folder {out.parent} to exist, it does not: make it, or choose another --out")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"expected to be able to write into {out.parent}, it is read-only: choose another --out")
    if not out.exists():
        return
    if not overwrite:
        raise UsageError(f"expected --out to be new, {out} exists: pass --overwrite to replace it")
    if not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).is_file()):
        raise UsageError(f"expected a bundle at {out} to overwrite, found something else: choose another --out")


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that takes its place once the block ends without an error.

    An interrupted block leaves ``out`` as it was.
    """
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        _replace(out, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(out: Path, new: Path) -> None:
    if not out.exists():
        new.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent)) / out.name
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest as the last file of a bundle."""
    (folder / _MARK).write_text(manifest.to_json())
