# SPDX-License-Identifier: Apache-2.0
"""Tell by the name of a frame, or by its row, which drive it belongs to."""

from collections.abc import Mapping
from pathlib import Path


def drive_of(frame: str, rule: str, named: Mapping[str, str]) -> str:
    """Name of the drive of a frame.

    Args:
        frame: its name: a path, in a video or a recording with ``#`` and the frame's number.
        rule: ``folder``, the folder of an image, or the video or recording itself; ``prefix``, the file name up to its first
            underscore; else the column of the row that names it.
        named: the row's texts by column.
    """
    if rule not in ("folder", "prefix"):
        return named[rule]
    file, _, place = frame.rpartition("#")
    path = Path(file if file and place.isdigit() else frame)
    if rule == "prefix":
        return path.stem.partition("_")[0]
    return str(path) if file and place.isdigit() else str(path.parent)
