# SPDX-License-Identifier: Apache-2.0
"""Find where in the frame the tiles of a picture lie that a network sees of it: cropped, resized and padded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._tiles.grid import TileMask

Edges = NDArray[np.float64]

_WHOLE = 1 - 1e-9
"""Share of a side from which on an edge lies at its end: rounding must leave no trace of the frame to a tile of padding."""


@dataclass(frozen=True, slots=True, eq=False)
class TileEdges:
    """Where rows and columns of tiles begin and end in the frame, in its pixels, from the outer edge of the first one.

    A row or column that shows nothing of the frame, as it lies in the padding, begins where it ends.

    Attributes:
        down: ``(rows + 1,)`` float64, ascending: where each row of tiles begins, and where the last one ends.
        across: ``(columns + 1,)``, alike for columns.
        height: of the frame.
        width: of the frame.
    """

    down: Edges
    across: Edges
    height: int
    width: int

    def in_frame(self, tiles: TileMask) -> TileMask:
        """The tiles of the whole frame, in a grid of as many rows and columns, that tiles of the picture make up.

        Those whose centre lies in one of these, or in which the centre of one of these lies: right to half a tile, and
        exactly the same tiles where the picture is the whole frame.
        """
        rows, columns = tiles.shape
        found = np.zeros_like(tiles)
        inside_rows = _holds(self.down, (np.arange(rows) + 0.5) * self.height / rows)
        inside_columns = _holds(self.across, (np.arange(columns) + 0.5) * self.width / columns)
        for row, column in np.argwhere(tiles).tolist():
            (top, bottom), (left, right) = self.down[row : row + 2], self.across[column : column + 2]
            if top == bottom or left == right:
                continue
            own_row = min(int((top + bottom) / 2 * rows / self.height), rows - 1)
            own_column = min(int((left + right) / 2 * columns / self.width), columns - 1)
            touched_rows, touched_columns = inside_rows[row].copy(), inside_columns[column].copy()
            touched_rows[own_row] = touched_columns[own_column] = True
            found |= np.logical_and.outer(touched_rows, touched_columns)
        return found


def even_edges(count: int, length: float) -> Edges:
    """Edges ``(count + 1,)`` that divide a length evenly."""
    return np.arange(count + 1, dtype=np.float64) * (length / count)


def seen_edges(count: int, start: int, length: int, grown: float) -> Edges:
    """Edges, in the frame, of an even division of a side of the picture that a network sees.

    The map of a layer has whole cells, so that its tiles may begin up to a cell before.

    Args:
        count: of tiles.
        start: first pixel of the frame that is seen.
        length: pixels of the frame that are seen.
        grown: length of the padded side, as a multiple of that without padding; padding lies at the end.
    """
    shares = even_edges(count, grown)
    return start + np.where(shares > _WHOLE, 1.0, shares) * length


def _holds(edges: Edges, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each part between two edges ``(C,)`` holds each place ``(P,)``: ``(C, P)``."""
    result: NDArray[np.bool_] = (edges[:-1, None] <= places) & (places < edges[1:, None])
    return result
