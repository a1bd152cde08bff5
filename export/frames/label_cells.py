# SPDX-License-Identifier: Apache-2.0
"""Read from a label what is true of each cell of a map, which stands for one pixel of the segmentation."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime.offline import map_stride


def label_of_cells(label: NDArray[np.uint8], grid: tuple[int, int], segmentation: tuple[int, int]) -> NDArray[np.uint8]:
    """Class ids ``(h, w)`` of the cells of a map that holds every n-th row and column of a segmentation, from the first on.

    Args:
        label: ``(H, W)`` class ids of the same picture, of any size.
        grid: h and w of the map.
        segmentation: rows and columns of the segmentation.
    """
    places = []
    for cells, pixels, size in zip(grid, segmentation, label.shape, strict=True):
        stride = map_stride(pixels, cells)
        places.append(((2 * stride * np.arange(cells) + 1) * size) // (2 * pixels))  # the pixel's centre
    return label[np.ix_(*places)]
