# SPDX-License-Identifier: Apache-2.0
"""Find and read label files of a segmentation and masks of unknown objects: one number for each pixel."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from export.errors import UsageError
from lsood_runtime.offline import open_plain, reason_of


class FileKind(NamedTuple):
    """What files of one number a pixel are called in messages.

    Attributes:
        name: of one of them.
        flag: that names their folders.
    """

    name: str
    flag: str


LABELS, MASKS = FileKind("label", "--labels"), FileKind("mask", "--masks")


def label_files(folders: Sequence[Path], kind: FileKind = LABELS) -> dict[str, Path]:
    """Label files by the stem of their names.

    Args:
        folders: that hold them.
        kind: of files, for messages.

    Raises:
        UsageError: a folder is missing, none holds a label, or two folders hold one of the same name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"expected a folder of {kind.name}s, found none at {folder}: check {kind.flag}")
        for path in sorted(folder.glob("*.png")):
            other = found.setdefault(path.stem, path)
            if other.parent.resolve() != path.parent.resolve():
                raise UsageError(
                    f"expected one {kind.name} of each name, got {other} and {path}: frames find their {kind.name}s by name, "
                    "so give the files of different scenes different names, as DRIVE_FRAME"
                )
    if not found and folders:
        raise UsageError(
            f"expected PNG {kind.name}s in the folders given by {kind.flag}, found none: name the folder that holds the files"
        )
    return found


def check_one_frame_each(paths: Sequence[Path], labels: Collection[str], kind: FileKind = LABELS) -> None:
    """Refuse frames of which two would be compared with the same label.

    Args:
        paths: of the frames.
        labels: stems of the files that there are.
        kind: of these files, for messages.

    Raises:
        UsageError: it names two frames.
    """
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(path.stem, path)
        if other != path and path.stem in labels:
            raise UsageError(
                f"expected frames of different names where {kind.name}s are found by them, got {other} and {path}: both "
                f"would be compared with one {kind.name}; give frames and {kind.name}s different names, as DRIVE_FRAME"
            )


def read_label(path: Path, kind: FileKind = LABELS) -> NDArray[np.uint8]:
    """Read a label image as ``(H, W)`` uint8 ids.

    Args:
        path: of it.
        kind: of the file, for messages.

    Raises:
        UsageError: the file is missing or no image, or has colours or more than one byte a pixel.
    """
    try:
        with open_plain(path) as file, Image.open(file) as image:
            label = np.asarray(image)
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(
            f"expected a {kind.name} image, could not read {path}: {reason_of(error)}; copy or convert it again"
        ) from error
    if label.ndim != 2 or label.dtype != np.uint8:
        raise UsageError(
            f"expected one byte a pixel in the {kind.name} {path}, got {label.shape} {label.dtype}: "
            "pass the files of ids, not those of colours"
        )
    return label
