# SPDX-License-Identifier: Apache-2.0
"""Paths that have the name of a file and are none."""

import os
from pathlib import Path

UNREADABLE = ("pipe", "device", "folder", "dangling link")


def make_unreadable(path: Path, kind: str) -> None:
    """Make one of :data:`UNREADABLE` at a path."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(os.devnull if kind == "device" else path.with_name("gone"))
