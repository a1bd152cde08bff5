# SPDX-License-Identifier: Apache-2.0
"""Decide which tiles of a picture are abnormal by how far each is from clean ones."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._tiles.grid import TileMask


def abnormal_tiles(distances: NDArray[np.float64], limit: float, neighbor_limit: float) -> TileMask:
    """Call tiles above the limit abnormal, then, step by step, those above the lower limit that touch one of them.

    A picture without a tile above the limit has no abnormal tile, whatever the lower limit: the share of clean pictures
    with one depends on the limit alone.

    Args:
        distances: ``(rows, columns)``, finite.
        limit: above which a tile is abnormal by itself.
        neighbor_limit: at most ``limit``.

    Returns:
        ``(rows, columns)`` bool.
    """
    abnormal, candidates = distances > limit, distances > neighbor_limit
    while True:
        grown = abnormal | (_touching(abnormal) & candidates)
        if np.array_equal(grown, abnormal):
            return abnormal
        abnormal = grown


def _touching(tiles: TileMask) -> TileMask:
    """The tiles and their eight neighbours."""
    rows, columns = tiles.shape
    padded = np.pad(tiles, 1)
    around = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    touching: TileMask = np.logical_or.reduce(around)
    return touching
