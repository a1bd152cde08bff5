# SPDX-License-Identifier: Apache-2.0
"""Draw a line around the faulty or abnormal tiles of a picture."""

from typing import TYPE_CHECKING

import numpy as np

from lsood_runtime._tiles.grid import TileMask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAULTY, ABNORMAL = "#ff2d55", "#ffb300"
"""Colours of the lines."""


def draw_tile_outline(axis: "Axes", tiles: TileMask, height: int, width: int, colour: str = FAULTY) -> None:
    """Draw the borders between tiles that are meant and those that are not, or the edge of the picture.

    Args:
        axis: on which the picture is drawn by ``imshow``.
        tiles: ``(rows, columns)``.
        height: of the picture in pixels.
        width: of it.
        colour: of the lines.
    """
    from matplotlib.collections import LineCollection

    axis.add_collection(LineCollection(tile_borders(tiles, height, width), colors=colour, linewidths=1.5))


def tile_borders(tiles: TileMask, height: int, width: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The ends of each border, ``(x, y)`` in pixels, of which the first is centred on 0."""
    framed = np.pad(tiles, 1)
    down, across = height / tiles.shape[0], width / tiles.shape[1]
    level = np.argwhere(framed[1:, 1:-1] != framed[:-1, 1:-1])
    upright = np.argwhere(framed[1:-1, 1:] != framed[1:-1, :-1])
    return [
        *(((x * across - 0.5, y * down - 0.5), ((x + 1) * across - 0.5, y * down - 0.5)) for y, x in level.tolist()),
        *(((x * across - 0.5, y * down - 0.5), (x * across - 0.5, (y + 1) * down - 0.5)) for y, x in upright.tolist()),
    ]
