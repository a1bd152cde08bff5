# SPDX-License-Identifier: Apache-2.0
"""Draw a border of its own into each faulty or abnormal tile of a picture.

A line around all of them would be read the wrong way round where most of a picture is meant: the few other tiles would look
like those that it marks.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from lsood_runtime._tiles.frame_edges import Edges
from lsood_runtime._tiles.grid import TileMask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAULTY, ABNORMAL = "#ff2d55", "#ffffff"
"""Colours of the borders, which have a dark rim; none of them is a colour of the anomaly map or of its boxes."""

_INSET = 0.07
_LINE, _RIM = 1.3, 2.9


def draw_tile_outline(axis: "Axes", tiles: TileMask, down: Edges, across: Edges, colour: str = FAULTY) -> None:
    """Draw the border of each tile that is meant.

    Args:
        axis: on which the picture is drawn by ``imshow``.
        tiles: ``(rows, columns)``.
        down: ``(rows + 1,)`` where rows of tiles begin and end, in pixels of the picture.
        across: ``(columns + 1,)``, alike for columns.
        colour: of the lines.
    """
    from matplotlib.collections import LineCollection

    axis.add_collection(LineCollection(tile_borders(tiles, down, across), colors=colour, **line_style()))


def line_style() -> dict[str, Any]:
    """What the lines of borders have in common, as arguments of matplotlib: their width and a dark rim."""
    from matplotlib.patheffects import withStroke

    return {"linewidth": _LINE, "path_effects": [withStroke(linewidth=_RIM, foreground="#111111")]}


def tile_borders(tiles: TileMask, down: Edges, across: Edges) -> list[list[tuple[float, float]]]:
    """The corners of each tile's border, ``(x, y)`` in pixels, of which the first is centred on 0; the first one ends it too.

    A border lies inside of its tile, so that those of neighbours are apart; a tile that shows nothing has none.
    """
    borders = []
    for row, column in np.argwhere(tiles).tolist():
        (top, bottom), (left, right) = down[row : row + 2].tolist(), across[column : column + 2].tolist()
        if top < bottom and left < right:
            inset = _INSET * min(bottom - top, right - left) - 0.5
            x, y = (left + inset, right - inset - 1), (top + inset, bottom - inset - 1)
            borders.append([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]), (x[0], y[0])])
    return borders
