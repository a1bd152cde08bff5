# SPDX-License-Identifier: Apache-2.0
"""Read label files of a segmentation: one class id for each pixel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from export.errors import UsageError
from export.plain_file import open_plain, reason_of


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
