# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the scores of a drive over time."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsood_runtime._assessment import State
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._cli.matplotlib_figure import figure_class, save_figure
from lsood_runtime._exceptions import MediaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEADROOM = 4
_COLOURS = {State.OK: "#2a6fbb", State.OUT_OF_DISTRIBUTION: "#d1495b", State.INVALID: "#111111", State.LATE: "#e3a008"}


@dataclass(frozen=True, slots=True)
class Point:
    """One frame of a timeline."""

    stamp_ns: int
    score: float
    state: State
    alarm: bool


class Timeline:
    """Collects the scores of each camera and draws them over time, with the threshold and the alarms."""

    def __init__(self, threshold: float, calibration: CalibrationRecord) -> None:
        figure_class()
        self._threshold = threshold
        self._median = calibration.scores[len(calibration.scores) // 2]
        self._points: dict[str, list[Point]] = defaultdict(list)

    def add(self, camera: str, point: Point) -> None:
        """Take in the next frame of a camera."""
        self._points[camera].append(point)

    def draw(self, path: Path) -> None:
        """Write the picture.

        Raises:
            MediaError: nothing can be written there.
        """
        if not self._points:
            raise MediaError(f"expected at least one frame to draw {path}, got none: check the sources")
        figure = figure_class()(figsize=(12, 1 + 2.4 * len(self._points)), layout="constrained")
        axes = figure.subplots(len(self._points), 1, squeeze=False, sharex=True)[:, 0]
        first = min(points[0].stamp_ns for points in self._points.values())
        for axis, (camera, points) in zip(axes, self._points.items(), strict=True):
            self._draw_camera(axis, camera, points, first)
        axes[-1].set_xlabel("seconds from the first frame")
        save_figure(figure, path)

    def _draw_camera(self, axis: "Axes", camera: str, points: list[Point], first: int) -> None:
        seconds = np.array([(point.stamp_ns - first) / 1e9 for point in points])
        scores = np.array([point.score for point in points])
        # A shift can score a thousand times the threshold: what lies beyond is drawn at the edge, as a triangle.
        top = self._threshold + _HEADROOM * abs(self._threshold - self._median)
        axis.set_ylim(min(self._median - abs(self._threshold - self._median), scores.min()), top)
        beyond = ~(scores <= top)
        axis.plot(seconds, np.minimum(np.nan_to_num(scores, posinf=top), top), color="#b8c4d0", linewidth=0.8, zorder=1)
        for state, colour in _COLOURS.items():
            chosen = np.array([point.state is state for point in points])
            inside, outside = chosen & ~beyond, chosen & beyond
            label = state.value.replace("_", " ") if chosen.any() else None
            axis.scatter(seconds[inside], scores[inside], s=9, color=colour, zorder=2, label=label)
            axis.scatter(
                seconds[outside], np.full(outside.sum(), top), s=22, marker="^", color=colour, zorder=3, clip_on=False
            )
        axis.axhline(self._threshold, color="#d1495b", linewidth=1, linestyle="--", label="threshold")
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
        for start, end in alarm_spans([point.alarm for point in points]):
            axis.axvspan(seconds[start], seconds[end] + step, color="#d1495b", alpha=0.15, linewidth=0)
        axis.set_title(camera, loc="left", fontsize=10)
        axis.set_ylabel("score")
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)


def alarm_spans(alarms: list[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of true values."""
    flags = np.diff([0, *map(int, alarms), 0])
    return list(zip(np.flatnonzero(flags == 1).tolist(), (np.flatnonzero(flags == -1) - 1).tolist(), strict=True))
