# SPDX-License-Identifier: Apache-2.0
"""Refuse a destination that could not be written to in the end, before the costly work begins."""

import os
from pathlib import Path

from export.errors import UsageError


def check_parent_folder(path: Path, remedy: str) -> None:
    """Refuse a file or a folder that cannot appear where it shall.

    Args:
        path: of the file or folder.
        remedy: ends the message, such as ``choose another --out``.

    Raises:
        UsageError: the folder that shall hold it is missing or read-only.
    """
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"expected the folder {path.parent} to exist, it does not: make it, or {remedy}")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"expected to be able to write into {path.parent}, it is read-only: {remedy}")
