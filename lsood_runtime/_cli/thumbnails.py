# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the frames with the highest scores of a drive."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._cli.matplotlib_figure import figure_class, save_figure

_APART_NS, _COLUMNS = 1_000_000_000, 4


@dataclass(frozen=True, slots=True, eq=False)
class _Thumbnail:
    score: float
    stamp_ns: int
    camera: str
    title: str
    image: NDArray[np.uint8]


class Thumbnails:
    """Keeps the ``count`` frames with the highest scores; of one camera's frames within a second only the highest."""

    def __init__(self, count: int) -> None:
        figure_class()
        self._count = count
        self._thumbnails: list[_Thumbnail] = []

    def add(self, camera: str, stamp_ns: int, score: float, title: str, image: NDArray[np.uint8]) -> None:
        """Keep a frame, RGB, if its score is among the highest."""
        if len(self._thumbnails) == self._count and score <= self._thumbnails[-1].score:
            return
        near = [m for m in self._thumbnails if m.camera == camera and abs(m.stamp_ns - stamp_ns) < _APART_NS]
        if any(thumbnail.score >= score for thumbnail in near):
            return
        self._thumbnails = [thumbnail for thumbnail in self._thumbnails if thumbnail not in near]
        self._thumbnails.append(_Thumbnail(score, stamp_ns, camera, title, image.copy()))
        self._thumbnails.sort(key=lambda thumbnail: -thumbnail.score)
        del self._thumbnails[self._count :]

    @property
    def titles(self) -> list[str]:
        """Titles of the frames that are kept, highest score first."""
        return [thumbnail.title for thumbnail in self._thumbnails]

    def draw(self, path: Path) -> None:
        """Write the picture.

        Raises:
            MediaError: nothing can be written there.
        """
        columns = min(_COLUMNS, max(1, len(self._thumbnails)))
        rows = -(-max(1, len(self._thumbnails)) // columns)
        figure = figure_class()(figsize=(3.6 * columns, 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, thumbnail in zip(axes, self._thumbnails, strict=False):
            axis.imshow(thumbnail.image)
            axis.set_title(thumbnail.title, fontsize=8, parse_math=False)
        save_figure(figure, path)
