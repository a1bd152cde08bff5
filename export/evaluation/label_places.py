# SPDX-License-Identifier: Apache-2.0
"""Place the labels of points in a chart so that none lies on another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 4.0
_RING = 5.0
_SHARES_PT, _LETTER_PT, _LINE_PT = (320.0, 240.0), 4.2, 9.0
"""Of a chart of shares: points from 0 to 1 along each axis, and the size of the letters that name its points."""


def name_points(axes: "Axes", named: Mapping[str, tuple[float, float]]) -> None:
    """Write the names of points in a chart of shares, moved apart where they would lie on each other."""
    scale = np.array(_SHARES_PT)
    points = np.array(list(named.values())).reshape(-1, 2)
    sizes = [(_LETTER_PT * len(name), _LINE_PT) for name in named]
    places = np.array(place_labels(points * scale, sizes, right=1.12 * scale[0])).reshape(-1, 2) / scale
    for name, point, place in zip(named, points, places, strict=True):
        line = {"arrowstyle": "-", "color": "grey", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
        near = abs(place[1] - point[1]) < _LINE_PT / scale[1]
        axes.annotate(
            name,
            (point[0], point[1]),
            xytext=(place[0], place[1]),
            fontsize=6.5,
            va="center",
            arrowprops=None if near else line,
            annotation_clip=False,
        )


def place_labels(points: ArrayLike, sizes: Sequence[tuple[float, float]], right: float) -> list[tuple[float, float]]:
    """Choose where each label begins: beside its point where there is room, else as near to it as there is.

    Args:
        points: ``(N, 2)`` places of the points, in the unit of the labels' sizes.
        sizes: width and height of each label.
        right: right end of the chart, which no label passes; the left end, 0, one passes that fits on neither side.

    Returns:
        Left end and middle height of each label.
    """
    boxes: list[tuple[float, float, float, float]] = []
    places: list[tuple[float, float]] = []
    for (x, y), (width, height) in zip(np.asarray(points, np.float64).reshape(-1, 2).tolist(), sizes, strict=True):
        fits_right = x + _GAP + width <= right
        for left, middle in _candidates(x, y, width, height):
            box = left, middle - height / 2, left + width, middle + height / 2
            inside = box[2] <= right and (box[0] >= 0 or not fits_right) and box[1] >= min(0, y - height / 2)
            if inside and not any(_overlap(box, other) for other in boxes):
                break
        boxes.append(box)
        places.append((left, middle))
    return places


def _candidates(x: float, y: float, width: float, height: float) -> Iterator[tuple[float, float]]:
    """Right of a point and left of it, then the same further and further above and below, without end."""
    for left in (x + _GAP, x - _GAP - width):
        yield left, y
    distance = _RING
    while True:
        for middle in (y + distance, y - distance):
            for left in (x + _GAP, x - _GAP - width):
                yield left, middle
        distance += max(_RING, height / 2)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
