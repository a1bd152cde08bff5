# SPDX-License-Identifier: Apache-2.0
"""Find and read label files of a segmentation: one class id for each pixel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from export.errors import UsageError
from export.plain_file import open_plain, reason_of


def label_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Label files by the stem of their names.

    Raises:
        UsageError: a folder is missing, or none holds a label.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"expected a folder of labels, found none at {folder}: check --labels")
        found |= {path.stem: path for path in sorted(folder.glob("*.png"))}
    if not found and folders:
        raise UsageError(
            "expected PNG labels in the folders given by --labels, found none: name the folder that holds the files"
        )
    return found


def read_label(path: Path) -> NDArray[np.uint8]:
    """Read a label image as ``(H, W)`` uint8 ids.

    Raises:
        UsageError: the file is missing or no image, or has colours or more than one byte a pixel.
    """
    try:
        with open_plain(path) as file, Image.open(file) as image:
            label = np.asarray(image)
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(
            f"expected a label image, could not read {path}: {reason_of(error)}; copy or convert it again"
        ) from error
    if label.ndim != 2 or label.dtype != np.uint8:
        raise UsageError(
            f"expected one byte a pixel in the label {path}, got {label.shape} {label.dtype}: "
            "pass the files of ids, not those of colours"
        )
    return label
