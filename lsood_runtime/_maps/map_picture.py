# SPDX-License-Identifier: Apache-2.0
"""Draw an anomaly map over the picture of its frame, with a box around each unknown object."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._maps.objects import UnknownObject
from lsood_runtime._maps.spread import cells_of_pixels
from lsood_runtime._tiles.frame_edges import TileEdges

BOX = (0, 229, 255)
"""Colour of the boxes, RGB."""

_SHARES = (0.5, 1.0, 2.0)
"""Of the limit, at which the colours and opacities are these; between them both change evenly."""
_SCALE = np.array([(255, 240, 60), (240, 130, 0), (190, 0, 90)], np.float64)
_OPACITY = (0.0, 0.45, 0.75)

_ROWS_OF_A_LINE, _GREY = 240, 160


@dataclass(frozen=True, slots=True, eq=False)
class MapPictures:
    """Draws the anomaly maps of a bundle.

    Attributes:
        edges: where in the frame the cells of a map lie; beyond them a picture stays as it is.
        limit: of a map, above which a cell is part of an object.
    """

    edges: TileEdges
    limit: float

    def draw(
        self, image: NDArray[np.uint8], anomaly_map: NDArray[np.float32], objects: Iterable[UnknownObject] = ()
    ) -> NDArray[np.uint8]:
        """Colour a picture by its map: clear up to half of the limit, then yellow, orange at the limit, purple at twice it.

        A limit of 0 or less counts as 1.

        Args:
            image: ``(H, W, 3)`` uint8 RGB, the frame in any size; not modified.
            anomaly_map: ``(h, w)`` float32.
            objects: to box.

        Returns:
            ``(H, W, 3)`` uint8.
        """
        height, width = image.shape[:2]
        rows, columns, seen = cells_of_pixels(self.edges, height, width)
        colours, opacity = _colours(np.asarray(anomaly_map, np.float64) / (self.limit if self.limit > 0 else 1.0))
        spread = np.ix_(rows, columns)
        picture = _laid_over(image, colours[spread], opacity[spread] * seen)
        for each in objects:
            _draw_box(picture, each, height / self.edges.height, width / self.edges.width)
        return picture


def draw_scale(height: int, width: int) -> NDArray[np.uint8]:
    """Draw the colours over grey: ``(height, width, 3)`` uint8 RGB, from 0 at the left to twice the limit at the right."""
    shares = np.linspace(1 / width, 2 - 1 / width, width, dtype=np.float64)
    colours, opacity = _colours(shares)
    row = _laid_over(np.full((1, width, 3), _GREY, np.uint8), colours[None], opacity[None])
    return np.repeat(row, height, axis=0)


def _colours(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours ``(..., 3)`` and opacities ``(...)`` of values in units of the limit ``(...)``."""
    colours = np.stack([np.interp(shares, _SHARES, channel) for channel in _SCALE.T], axis=-1)
    return colours, np.interp(shares, _SHARES, _OPACITY)


def _laid_over(
    image: NDArray[np.uint8], colours: NDArray[np.float64], opacity: NDArray[np.float64]
) -> NDArray[np.uint8]:
    laid: NDArray[np.uint8] = np.rint(image + opacity[..., None] * (colours - image)).astype(np.uint8)
    return laid


def _draw_box(picture: NDArray[np.uint8], each: UnknownObject, down: float, across: float) -> None:
    """Draw the border of a box, outside of its object where the picture has room."""
    height, width = picture.shape[:2]
    line = max(1, round(height / _ROWS_OF_A_LINE))
    top, bottom = int(each.y * down), int(np.ceil((each.y + each.height) * down))
    left, right = int(each.x * across), int(np.ceil((each.x + each.width) * across))
    outer = slice(max(top - line, 0), bottom + line), slice(max(left - line, 0), right + line)
    border = np.zeros((height, width), np.bool_)
    border[outer] = True
    border[max(top, line) : min(bottom, height - line), max(left, line) : min(right, width - line)] = False
    picture[border] = BOX
