# SPDX-License-Identifier: Apache-2.0
"""Divide a picture into rows and columns of tiles."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TileMask: TypeAlias = NDArray[np.bool_]
"""``(rows, columns)`` bool: which tiles of a picture something is said of."""

MOST_ROWS = MOST_COLUMNS = 16
LEAST_PIXELS = 8


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Rows and columns of tiles that cover a picture, of sizes that differ by a pixel at most.

    Attributes:
        rows: of tiles, from 1 to 16.
        columns: of tiles, from 1 to 16.
    """

    rows: int
    columns: int

    def __len__(self) -> int:
        """Number of tiles."""
        return self.rows * self.columns

    def fits(self, height: int, width: int) -> bool:
        """Whether each tile of a picture of this size has at least 8 x 8 pixels: less tells nothing."""
        return height >= LEAST_PIXELS * self.rows and width >= LEAST_PIXELS * self.columns

    def row_edges(self, height: int) -> NDArray[np.int64]:
        """The first pixel row of each row of tiles, and at last the height, ``(rows + 1,)``."""
        return np.arange(self.rows + 1) * height // self.rows

    def column_edges(self, width: int) -> NDArray[np.int64]:
        """The first pixel column of each column of tiles, and at last the width, ``(columns + 1,)``."""
        return np.arange(self.columns + 1) * width // self.columns

    def no_tiles(self) -> TileMask:
        """A mask of none of the tiles."""
        return np.zeros((self.rows, self.columns), np.bool_)

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


def largest_grid(height: int, width: int) -> TileGrid | None:
    """The most rows and columns of tiles that fit a picture; None where not one tile does."""
    rows, columns = min(height // LEAST_PIXELS, MOST_ROWS), min(width // LEAST_PIXELS, MOST_COLUMNS)
    return TileGrid(rows, columns) if rows and columns else None
