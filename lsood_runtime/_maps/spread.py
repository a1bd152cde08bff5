# SPDX-License-Identifier: Apache-2.0
"""Find the cell of an anomaly map that each pixel of a picture of the frame lies in."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._tiles.frame_edges import Edges, TileEdges


class CellsOfPixels(NamedTuple):
    """Where the pixels of a picture lie in a map.

    Attributes:
        rows: ``(H,)`` int64, of the map, for each row of pixels.
        columns: ``(W,)``, alike.
        seen: ``(H, W)`` bool, false for pixels beside the map, whose row or column is the nearest one.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    seen: NDArray[np.bool_]


def cells_of_pixels(edges: TileEdges, height: int, width: int) -> CellsOfPixels:
    """Find the cell that the centre of each pixel lies in.

    Args:
        edges: where in the frame the cells lie.
        height: of the picture, which shows the whole frame.
        width: of the picture.
    """
    rows, seen_rows = _cells(edges.down, edges.height, height)
    columns, seen_columns = _cells(edges.across, edges.width, width)
    return CellsOfPixels(rows, columns, np.logical_and.outer(seen_rows, seen_columns))


def _cells(edges: Edges, length: int, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    places = (np.arange(pixels) + 0.5) * (length / pixels)
    cells = np.searchsorted(edges, places, side="right") - 1
    return cells.clip(0, len(edges) - 2), (cells >= 0) & (places < edges[-1])
