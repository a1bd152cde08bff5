# SPDX-License-Identifier: Apache-2.0
"""Tell which regions of a map meet its road, and how far the others are from it."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._maps.regions import CellMask, Regions
from lsood_runtime._tiles.frame_edges import Edges, TileEdges


def meets_road(regions: Regions, road: CellMask) -> NDArray[np.bool_]:
    """Whether a cell of each region is road, or touches the road by a side or a corner.

    Args:
        regions: of the map.
        road: ``(h, w)`` bool, which cells are road.

    Returns:
        ``(count,)`` bool.
    """
    height, width = road.shape
    around = np.pad(road, 1)
    near = np.zeros((height, width + 1), np.int64)
    for down in range(3):
        for across in range(3):
            near[:, 1:] |= around[down : down + height, across : across + width]
    before = np.cumsum(near, axis=1)  # of each row, how many cells left of a column are near the road
    found = np.zeros(regions.count, np.bool_)
    found[regions.numbers[before[regions.rows, regions.stops] > before[regions.rows, regions.starts]]] = True
    return found


def road_distances(regions: Regions, road: CellMask, edges: TileEdges) -> NDArray[np.float64]:
    """The smallest distance between a cell of each region and a cell of the road, in pixels of the frame.

    Exact, between the centres of cells: for each row of a region and each column, the way up or down that column to the road
    and the way along that row to the region are the sides of a right angle.

    Args:
        regions: of the map.
        road: ``(h, w)`` bool, which cells are road.
        edges: where in the frame the cells lie.

    Returns:
        ``(count,)`` float64; ``inf`` where there is no road.
    """
    found = np.full(regions.count, np.inf)
    if not regions.count or not road.any():
        return found
    y, x = ((ends[:-1] + ends[1:]) / 2 for ends in (edges.down, edges.across))
    labels = regions.labels((len(y), len(x)))
    found[labels[road & (labels >= 0)]] = 0
    to_road = _nearest_in_columns(road, y) ** 2
    for number in np.flatnonzero(found > 0):
        rows = np.unique(regions.rows[regions.numbers == number])
        to_region = _nearest_in_columns((labels[rows] == number).T, x).T ** 2
        found[number] = np.sqrt((to_road[rows] + to_region).min())
    return found


def _nearest_in_columns(cells: CellMask, places: Edges) -> Edges:
    """For each cell of a map, the distance to the nearest of ``cells`` in its column; ``inf`` where that has none.

    Args:
        cells: ``(h, w)`` bool.
        places: ``(h,)``, of the rows, ascending.
    """
    above = np.maximum.accumulate(np.where(cells, places[:, None], -np.inf), axis=0)
    below = np.minimum.accumulate(np.where(cells, places[:, None], np.inf)[::-1], axis=0)[::-1]
    nearest: Edges = np.minimum(places[:, None] - above, below - places[:, None])
    return nearest
