# SPDX-License-Identifier: Apache-2.0
"""Read the class of each cell of an anomaly map from the segmentation of its frame."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._segmentation_classes import segmentation_classes


def map_stride(pixels: int, cells: int) -> int:
    """Rows, or columns, of a segmentation from the pixel of one cell of its map to that of the next."""
    return -(-pixels // cells)


def cell_classes(segmentation: NDArray[np.uint8] | NDArray[np.float32], rows: int, columns: int) -> NDArray[np.int64]:
    """The class of the pixel that each cell reads: every fourth one for a map of a quarter of the rows and columns.

    Args:
        segmentation: ``(h, w)`` uint8 classes or ``(K, h, w)`` float32 logits; one logit for two classes, 1 where it is
            above 0.
        rows: of the map, at most ``h``.
        columns: of the map, at most ``w``.

    Returns:
        ``(rows, columns)`` integers.
    """
    height, width = segmentation.shape[-2:]
    down, across = (
        np.arange(cells) * map_stride(pixels, cells) for cells, pixels in ((rows, height), (columns, width))
    )
    return segmentation_classes(segmentation[..., down.clip(0, height - 1)[:, None], across.clip(0, width - 1)])
