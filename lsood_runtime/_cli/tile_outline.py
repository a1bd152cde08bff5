# SPDX-License-Identifier: Apache-2.0
"""Draw a line around the faulty or abnormal tiles of a picture."""

from typing import TYPE_CHECKING

import numpy as np

from lsood_runtime._tiles.frame_edges import Edges
from lsood_runtime._tiles.grid import TileMask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAULTY, ABNORMAL = "#ff2d55", "#ffb300"
"""Colours of the lines."""


def draw_tile_outline(axis: "Axes", tiles: TileMask, down: Edges, across: Edges, colour: str = FAULTY) -> None:
    """Draw the borders between tiles that are meant and those that are not, or the edge of the picture.

    Args:
        axis: on which the picture is drawn by ``imshow``.
        tiles: ``(rows, columns)``.
        down: ``(rows + 1,)`` where rows of tiles begin and end, in pixels of the picture.
        across: ``(columns + 1,)``, alike for columns.
        colour: of the lines.
    """
    from matplotlib.collections import LineCollection

    axis.add_collection(LineCollection(tile_borders(tiles, down, across), colors=colour, linewidths=1.5))


def tile_borders(tiles: TileMask, down: Edges, across: Edges) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The ends of each border, ``(x, y)`` in pixels, of which the first is centred on 0."""
    framed = np.pad(tiles & np.logical_and.outer(np.diff(down) > 0, np.diff(across) > 0), 1)
    level = np.argwhere(framed[1:, 1:-1] != framed[:-1, 1:-1])
    upright = np.argwhere(framed[1:-1, 1:] != framed[1:-1, :-1])
    y, x = (down - 0.5).tolist(), (across - 0.5).tolist()
    return [
        *(((x[column], y[row]), (x[column + 1], y[row])) for row, column in level.tolist()),
        *(((x[column], y[row]), (x[column], y[row + 1])) for row, column in upright.tolist()),
    ]
