# SPDX-License-Identifier: Apache-2.0
"""Draw a picture of the scores of a drive over time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lsood_runtime._assessment import State
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._cli.elapsed import DriveTime, describe_start, is_dated
from lsood_runtime._cli.matplotlib_figure import figure_class, save_figure
from lsood_runtime._cli.shorten import shorten
from lsood_runtime._cli.stretches import Point, Stretches
from lsood_runtime._cli.timeline_columns import find_columns, find_gaps
from lsood_runtime._cli.timeline_panel import Panel, ScoreRange, draw_panel
from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.file_order import natural_key
from lsood_runtime._text.counted import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TALLEST_IN = 200


@dataclass(slots=True)
class _Camera:
    stretches: Stretches = field(default_factory=Stretches)
    states: Counter[State] = field(default_factory=Counter)
    frames: int = 0
    late: int = 0
    faulty_tiles: int = 0
    alarms: int = 0
    alarmed: bool = False
    quality_alarms: int = 0
    quality_alarmed: bool = False

    def add(self, point: Point) -> None:
        self.stretches.add(point)
        self.states[point.state] += 1
        self.frames += 1
        self.late += point.late or point.state is State.LATE
        self.faulty_tiles += point.faulty_tiles
        self.alarms += point.alarm and not self.alarmed
        self.alarmed = point.alarm
        self.quality_alarms += point.quality_alarm and not self.quality_alarmed
        self.quality_alarmed = point.quality_alarm

    @property
    def ends_ns(self) -> list[int]:
        """Stamps of the first and the last frame of each stretch."""
        return [stamp for stretch in self.stretches for stamp in (stretch.first_ns, stretch.last_ns)]

    @property
    def dated(self) -> bool:
        """Whether its stamps are dates."""
        return is_dated(max(self.ends_ns))

    def __str__(self) -> str:
        counts = {
            "out of distribution": self.states[State.OUT_OF_DISTRIBUTION],
            "of low quality": self.states[State.LOW_QUALITY],
            "invalid": self.states[State.INVALID],
            "late": self.late,
            "with faulty tiles": self.faulty_tiles,
        }
        words = [f"{count:,} {what}" for what, count in counts.items() if count]
        words += [counted(self.alarms, "alarm", comma=",")] if self.alarms else []
        words += [counted(self.quality_alarms, "quality alarm", comma=",")] if self.quality_alarms else []
        return ", ".join([counted(self.frames, "frame", comma=","), *words])


class Timeline:
    """Collects the scores of each camera and draws them over time, one panel a camera, with the threshold and the alarms.

    Beyond some thousand frames a camera neighbours are merged, so that memory does not grow with the drive. A drive of more
    frames than the picture has columns is drawn as the range and the median of the frames in each column.

    Args:
        threshold: of the scores.
        calibration: whose median score sets the scale: scores further from the threshold than four times the distance between
            both are drawn at the edge, as triangles.
        heading: the bundle and the operating point.
        quality_name: of the expected quality by its measure, such as ``expected mIoU``, which is drawn as well; empty where
            the bundle does not tell it.

    Attributes:
        rule: the alarm rule, for the title; empty where frames are scored each on its own.
        quality_rule: that of the expected quality; empty where it is not watched.
    """

    def __init__(
        self, threshold: float, calibration: CalibrationRecord, heading: str = "", quality_name: str = ""
    ) -> None:
        figure_class()
        self._threshold, self._heading, self.rule, self.quality_rule = threshold, heading, "", ""
        self._quality_name = quality_name
        self._median = calibration.scores[len(calibration.scores) // 2]
        self._cameras: dict[str, _Camera] = {}

    def add(self, camera: str, point: Point) -> None:
        """Take in the next frame of a camera."""
        self._cameras.setdefault(camera, _Camera()).add(point)

    def draw(self, path: Path) -> None:
        """Write the picture.

        Raises:
            MediaError: nothing can be written there, or there is no frame.
        """
        if not self._cameras:
            raise MediaError(f"expected at least one frame to draw {path}, got none: check the sources")
        save_figure(self.figure(), path)

    def figure(self) -> "Figure":
        """Draw the picture; there is at least one frame."""
        names = sorted(self._cameras, key=natural_key)
        cameras = [self._cameras[name] for name in names]
        times = _axis_times(cameras)
        columns = [
            find_columns(camera.stretches, find_gaps(camera.stretches), time)
            for camera, time in zip(cameras, times, strict=True)
        ]
        scores = ScoreRange.of(self._threshold, self._median, columns)
        height = min(2.2, _TALLEST_IN / len(self._cameras))
        figure = figure_class()(figsize=(12, 1.5 + height * len(self._cameras)), layout="constrained")
        axes = figure.subplots(len(self._cameras), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        handles: dict[str, Artist] = {}
        for axis, name, camera, own, time in zip(axes, names, cameras, columns, times, strict=True):
            panel = Panel(f"{shorten(name, 60)}: {camera}", own, camera.stretches, time, self._quality_name)
            handles |= draw_panel(axis, panel, scores)
        self._finish(figure, axes[-1], times, handles)
        return figure

    def _finish(self, figure: "Figure", axis: "Axes", times: Sequence[DriveTime], handles: "dict[str, Artist]") -> None:
        time = max(times, key=lambda time: time.first_ns)
        places, texts = time.ticks()
        axis.set_xticks(places, texts)
        margin = time.end * 0.01 or 1.0
        axis.set_xlim(-margin, time.end + margin)
        start = describe_start(time.first_ns)
        others = ", or from the first one without a date" if len({each.first_ns for each in times}) > 1 else ""
        axis.set_xlabel("time from the first frame" + (f" ({start}{others})" if start else ""))
        figure.supylabel("score", fontsize=10)
        alarm = f"alarm {self.rule}" if self.rule else ""
        alarm += f", of the quality {self.quality_rule}" if self.quality_rule else ""
        title = "\n".join(filter(None, (self._heading, alarm))) or "scores"
        figure.suptitle(title, fontsize=10, parse_math=False)
        figure.legend(
            handles=list(handles.values()),
            labels=list(handles),
            loc="outside lower center",
            ncols=5,
            fontsize=8,
            frameon=False,
        )


def _axis_times(cameras: Sequence[_Camera]) -> list[DriveTime]:
    """The axis for each camera: images and videos, whose stamps count from 0, begin with the recordings that have a date."""
    dated = [stamp for camera in cameras if camera.dated for stamp in camera.ends_ns]
    others = [stamp for camera in cameras if not camera.dated for stamp in camera.ends_ns]
    if not dated or not others:
        return [DriveTime(dated or others)] * len(cameras)
    shift_ns = min(dated) - min(others)
    time = DriveTime([*dated, *(stamp + shift_ns for stamp in others)])
    return [time if camera.dated else time.starting(min(others)) for camera in cameras]
