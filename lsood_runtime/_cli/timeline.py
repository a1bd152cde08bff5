# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the scores of a drive over time."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsood_runtime._assessment import State
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._cli.matplotlib_figure import figure_class, save_figure
from lsood_runtime._cli.stretches import Point, Stretches
from lsood_runtime._exceptions import MediaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEADROOM = 4
_COLOURS = {State.OK: "#2a6fbb", State.OUT_OF_DISTRIBUTION: "#d1495b", State.INVALID: "#111111", State.LATE: "#e3a008"}


class Timeline:
    """Collects the scores of each camera and draws them over time, with the threshold and the alarms.

    Beyond some thousand frames a camera neighbours are merged, so that memory does not grow with the drive.
    """

    def __init__(self, threshold: float, calibration: CalibrationRecord) -> None:
        figure_class()
        self._threshold = threshold
        self._median = calibration.scores[len(calibration.scores) // 2]
        self._cameras: dict[str, Stretches] = defaultdict(Stretches)

    def add(self, camera: str, point: Point) -> None:
        """Take in the next frame of a camera."""
        self._cameras[camera].add(point)

    def draw(self, path: Path) -> None:
        """Write the picture.

        Raises:
            MediaError: nothing can be written there.
        """
        if not self._cameras:
            raise MediaError(f"expected at least one frame to draw {path}, got none: check the sources")
        figure = figure_class()(figsize=(12, 1 + 2.4 * len(self._cameras)), layout="constrained")
        axes = figure.subplots(len(self._cameras), 1, squeeze=False, sharex=True)[:, 0]
        first = min(next(iter(stretches)).first_ns for stretches in self._cameras.values())
        for axis, (camera, stretches) in zip(axes, self._cameras.items(), strict=True):
            self._draw_camera(axis, camera, stretches, first)
        axes[-1].set_xlabel("seconds from the first frame")
        save_figure(figure, path)

    def _draw_camera(self, axis: "Axes", camera: str, stretches: Stretches, first: int) -> None:
        seconds = np.array([(stretch.first_ns - first) / 1e9 for stretch in stretches])
        ends = np.array([(stretch.last_ns - first) / 1e9 for stretch in stretches])
        lows = np.array([min(low for low, _ in stretch.ranges.values()) for stretch in stretches])
        highs = np.array([max(high for _, high in stretch.ranges.values()) for stretch in stretches])
        # A shift can score a thousand times the threshold: what lies beyond is drawn at the edge, as a triangle.
        top = self._threshold + _HEADROOM * abs(self._threshold - self._median)
        axis.set_ylim(min(self._median - abs(self._threshold - self._median), lows.min()), top)
        for line in (lows, highs):
            axis.plot(
                seconds, np.minimum(np.nan_to_num(line, posinf=top), top), color="#b8c4d0", linewidth=0.8, zorder=1
            )
        for state, colour in _COLOURS.items():
            shown = [
                (when, score)
                for when, stretch in zip(seconds, stretches, strict=True)
                for score in sorted(set(stretch.ranges.get(state, ())))
            ]
            when, scores = np.array(shown).reshape(-1, 2).T
            inside = scores <= top
            label = state.value.replace("_", " ") if shown else None
            axis.scatter(when[inside], scores[inside], s=9, color=colour, zorder=2, label=label)
            axis.scatter(
                when[~inside], np.full((~inside).sum(), top), s=22, marker="^", color=colour, zorder=3, clip_on=False
            )
        axis.axhline(self._threshold, color="#d1495b", linewidth=1, linestyle="--", label="threshold")
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
        for start, end in alarm_spans([stretch.alarm for stretch in stretches]):
            axis.axvspan(seconds[start], max(ends[end], seconds[end] + step), color="#d1495b", alpha=0.15, linewidth=0)
        axis.set_title(camera, loc="left", fontsize=10, parse_math=False)
        axis.set_ylabel("score")
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)


def alarm_spans(alarms: list[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of true values."""
    flags = np.diff([0, *map(int, alarms), 0])
    return list(zip(np.flatnonzero(flags == 1).tolist(), (np.flatnonzero(flags == -1) - 1).tolist(), strict=True))
