# SPDX-License-Identifier: Apache-2.0
"""Draw the panel of one camera in a timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._cli.elapsed import DriveTime
from lsood_runtime._cli.stretches import Stretches
from lsood_runtime._cli.timeline_columns import Column

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_HEADROOM = 4
_BLUE, _BAND, _RED, _BLACK, _AMBER, _VIOLET, _GREEN = (
    "#2a6fbb",
    "#b9cfe6",
    "#d1495b",
    "#111111",
    "#e3a008",
    "#7b3fa0",
    "#2f7d4f",
)
_NARROWEST = 0.002


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """The scores that panels show; those beyond are drawn at the edge.

    Attributes:
        bottom: lowest score that is drawn at its place.
        top: highest one.
        threshold: between both.
        marks: whether there are frames that are invalid, late or of low quality, whose marks lie below the scores.
    """

    bottom: float
    top: float
    threshold: float
    marks: bool

    @classmethod
    def of(cls, threshold: float, median: float, cameras: Sequence[Sequence[Column]]) -> "ScoreRange":
        """Choose the range: all scores, but from the median and the threshold no further than four times their distance."""
        unit = abs(threshold - median) or abs(threshold) or 1.0
        low, high = sorted((threshold, median))
        lows = [column.low for columns in cameras for column in columns if not np.isnan(column.low)]
        highs = [column.high for columns in cameras for column in columns if not np.isnan(column.high)]
        return cls(
            bottom=min(low - unit / 2, max(min(lows, default=low), low - _HEADROOM * unit)),
            top=max(high + unit / 2, min(max(highs, default=high), high + _HEADROOM * unit)),
            threshold=threshold,
            marks=any(column.invalid or column.late or column.low_quality for columns in cameras for column in columns),
        )

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the axis: room for triangles above, and for the marks of such frames below."""
        height = self.top - self.bottom
        return self.bottom - (0.25 if self.marks else 0.06) * height, self.top + 0.06 * height

    def lane(self, number: int) -> float:
        """Height of the lane of marks, from 0 for the lowest, below all scores."""
        return self.bottom - (0.19 - 0.08 * number) * (self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class Panel:
    """What the panel of a camera shows.

    Attributes:
        title: its camera, and counts of its frames.
        columns: its scores.
        stretches: its alarms.
        time: of the drive.
        quality_name: of the expected quality by its measure; empty where the bundle does not tell it.
    """

    title: str
    columns: Sequence[Column]
    stretches: Stretches
    time: DriveTime
    quality_name: str = ""


def draw_panel(axis: "Axes", panel: Panel, scores: ScoreRange) -> "dict[str, Artist]":
    """Draw a camera.

    Returns:
        What a legend names, by its label.
    """
    axis.set_ylim(*scores.limits)
    axis.set_title(panel.title, loc="left", fontsize=9, parse_math=False)
    axis.axhline(scores.threshold, color=_RED, linewidth=1, linestyle="--", zorder=3)
    handles = _draw_alarms(axis, panel) | _draw_scores(axis, panel.columns, scores) | _draw_marks(axis, panel, scores)
    if panel.quality_name:
        handles |= _draw_quality(axis, panel)
    (threshold,) = axis.plot([], [], color=_RED, linewidth=1, linestyle="--")
    return {f"threshold {scores.threshold:.4g}": threshold} | handles


def _draw_alarms(axis: "Axes", panel: Panel) -> "dict[str, Artist]":
    stretches = list(panel.stretches)
    handles: dict[str, Artist] = {}
    for label, alarms, colour in (
        ("alarm", [stretch.alarm for stretch in stretches], _RED),
        ("quality alarm", [stretch.quality_alarm for stretch in stretches], _VIOLET),
    ):
        for start, end in alarm_spans(alarms):
            following = stretches[min(end + 1, len(stretches) - 1)]
            begin, *ends = panel.time.place(
                [stretches[start].first_ns, stretches[end].last_ns, following.first_ns]
            ).tolist()
            finish = max(*ends, begin + _NARROWEST * (panel.time.end or 1.0))
            handles[label] = axis.axvspan(begin, finish, color=colour, alpha=0.15, linewidth=0, zorder=0)
    for begin, finish in panel.time.cuts:
        handles["no frames, cut short"] = axis.axvspan(
            begin, finish, facecolor="#ffffff", edgecolor="#777777", hatch="////", linewidth=0, zorder=5
        )
    return handles


def _draw_scores(axis: "Axes", columns: Sequence[Column], scores: ScoreRange) -> "dict[str, Artist]":
    places, lows, middles, highs = (
        _broken(columns, [getattr(column, name) for column in columns]) for name in ("place", "low", "middle", "high")
    )
    merged = any(column.frames > 1 for column in columns)
    handles: dict[str, Artist] = {}
    if merged:
        band = axis.fill_between(
            places,
            np.clip(lows, scores.bottom, scores.top),
            np.clip(highs, scores.bottom, scores.top),
            color=_BAND,
            linewidth=0.6,
            zorder=1,
        )
        handles["lowest to highest score"] = band
    (line,) = axis.plot(places, np.clip(middles, scores.bottom, scores.top), color=_BLUE, linewidth=1, zorder=2)
    handles["median score" if merged else "score"] = line
    alone = [column for column in columns if sum(other.run == column.run for other in columns) == 1]
    if alone:
        middle = np.clip([column.middle for column in alone], scores.bottom, scores.top)
        axis.plot([column.place for column in alone], middle, ".", color=_BLUE, markersize=4, zorder=2)
    return handles


def _draw_quality(axis: "Axes", panel: Panel) -> "dict[str, Artist]":
    """Draw the expected quality on an axis of its own, from 0 to 1 at the right; a line breaks where it is unknown."""
    right = axis.twinx()
    right.set_ylim(0, 1)
    right.tick_params(labelsize=7, colors=_GREEN)
    places = _broken(panel.columns, [column.place for column in panel.columns])
    means = _broken(panel.columns, [column.quality for column in panel.columns])
    (line,) = right.plot(places, means, color=_GREEN, linewidth=1, marker=".", markersize=2, zorder=2)
    return {f"{panel.quality_name} (right)": line}


def _draw_marks(axis: "Axes", panel: Panel, scores: ScoreRange) -> "dict[str, Artist]":
    columns = panel.columns
    handles: dict[str, Artist] = {}
    marks = (
        ("out of distribution", [c for c in columns if c.worst <= scores.top], "worst", "o", _RED, 3.0),
        ("above what is drawn", [c for c in columns if c.high > scores.top], scores.top, "^", _RED, 6.0),
        ("below what is drawn", [c for c in columns if c.low < scores.bottom], scores.bottom, "v", _BLUE, 6.0),
        ("invalid", [c for c in columns if c.invalid], scores.lane(1), "|", _BLACK, 6.0),
        ("low quality", [c for c in columns if c.low_quality], scores.lane(2), "|", _VIOLET, 6.0),
        ("late", [c for c in columns if c.late], scores.lane(0), "|", _AMBER, 6.0),
    )
    for label, shown, height, marker, colour, size in marks:
        if shown:
            heights = [column.worst if height == "worst" else height for column in shown]
            places = [column.place for column in shown]
            (handles[label],) = axis.plot(
                places, heights, marker, color=colour, markersize=size, linestyle="none", zorder=4
            )
    return handles


def _broken(columns: Sequence[Column], values: Sequence[float]) -> NDArray[np.float64]:
    """The values, with NaN between those of different runs, where a line breaks."""
    borders = np.flatnonzero(np.diff([column.run for column in columns])) + 1
    return np.insert(np.array(values, np.float64), borders, np.nan)


def alarm_spans(alarms: list[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of true values."""
    flags = np.diff([0, *map(int, alarms), 0])
    return list(zip(np.flatnonzero(flags == 1).tolist(), (np.flatnonzero(flags == -1) - 1).tolist(), strict=True))
