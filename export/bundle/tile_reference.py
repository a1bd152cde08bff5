# SPDX-License-Identifier: Apache-2.0
"""Moments of a layer tile by tile, by NumPy in float64 from the network's own map, to compare the graph with."""

import numpy as np
from numpy.typing import NDArray

from export.layers.channel_moments import MIN_DEVIATION, cell_stride
from export.layers.tile_moments import chosen_channels

Doubles = NDArray[np.float64]


def reference_tiles(layer: NDArray[np.floating], rows: int, columns: int) -> Doubles:
    """Means, then logarithms of the deviations, of some channels in each tile, ``(R * Q * 2 K,)``.

    Args:
        layer: ``(C, H, W)`` of one frame.
        rows: of tiles.
        columns: of tiles.
    """
    stride = cell_stride(*layer.shape[1:])
    cells = layer[chosen_channels(len(layer)), ::stride, ::stride].astype(np.float64)
    height, width = cells.shape[1:]
    found = []
    for i in range(rows):
        band = cells[:, i * height // rows : (i + 1) * height // rows]
        for j in range(columns):
            tile = band[:, :, j * width // columns : (j + 1) * width // columns].reshape(len(cells), -1)
            found += [tile.mean(axis=1), np.log(np.maximum(tile.std(axis=1), MIN_DEVIATION))]
    return np.concatenate(found)


def all_means_first(values: Doubles, grid: tuple[int, int]) -> Doubles:
    """The same numbers with the means of all tiles in front of all logarithms."""
    return values.reshape(grid[0] * grid[1], 2, -1).swapaxes(0, 1).ravel()
