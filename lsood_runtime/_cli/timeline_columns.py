# SPDX-License-Identifier: Apache-2.0
"""Reduce the frames of a camera to what the columns of a timeline show: the range and the median of the scores in each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from lsood_runtime._assessment import State
from lsood_runtime._cli.elapsed import DriveTime
from lsood_runtime._cli.stretches import Stretch, Stretches

_COLUMNS, _GAP_STEPS = 400, 5


@dataclass(slots=True)
class Column:
    """Frames that are drawn at one place.

    Attributes:
        start: place of the first frame on the axis.
        end: of the last.
        run: number of the unbroken line to which it belongs.
        frames: how many.
        low: lowest finite score; NaN where there is none.
        high: highest finite score.
        worst: highest finite score of the frames that are out of distribution; NaN without one.
        invalid: whether there is a frame that is invalid.
        late: whether there is a late one.
        low_quality: whether there is one of low quality.
        quality_sum: of the expected qualities that are known.
        quality_frames: how many are.
        sample: finite scores of frames that are evenly spaced among these, all of them while they are few.
    """

    start: float
    end: float
    run: int
    frames: int = 0
    low: float = math.nan
    high: float = math.nan
    worst: float = math.nan
    invalid: bool = False
    late: bool = False
    low_quality: bool = False
    quality_sum: float = 0.0
    quality_frames: int = 0
    sample: list[float] = field(default_factory=list)

    @property
    def place(self) -> float:
        """The middle of its frames on the axis."""
        return (self.start + self.end) / 2

    @property
    def middle(self) -> float:
        """Median of the sample; NaN without a finite score."""
        return median(self.sample) if self.sample else math.nan

    @property
    def quality(self) -> float:
        """Mean of the expected qualities that are known; NaN where none is."""
        return self.quality_sum / self.quality_frames if self.quality_frames else math.nan

    def take(self, stretch: Stretch) -> None:
        """Take in a stretch."""
        self.frames += stretch.frames
        finite = [score for ends in stretch.ranges.values() for score in ends if math.isfinite(score)]
        if finite:
            self.low, self.high = float(np.fmin(self.low, min(finite))), float(np.fmax(self.high, max(finite)))
        above = [score for score in stretch.ranges.get(State.OUT_OF_DISTRIBUTION, ()) if math.isfinite(score)]
        if above:
            self.worst = float(np.fmax(self.worst, max(above)))
        self.invalid |= State.INVALID in stretch.ranges
        self.low_quality |= State.LOW_QUALITY in stretch.ranges
        self.late |= stretch.late
        self.quality_sum += stretch.quality_sum
        self.quality_frames += stretch.quality_frames
        self.sample += [score for score in stretch.sample if math.isfinite(score)]


def find_gaps(stretches: Stretches) -> set[tuple[int, int]]:
    """Steps between frames at which a line breaks: longer than five usual ones, or back in time."""
    steps = [
        (later.first_ns - earlier.first_ns) / earlier.frames
        for earlier, later in zip(stretches, list(stretches)[1:], strict=False)
    ]
    forward = [step for step in steps if step > 0]
    usual = median(forward) if forward else math.inf
    return {(start, end) for start, end in stretches.longest_steps if end < start or end - start > _GAP_STEPS * usual}


def find_columns(stretches: Stretches, gaps: set[tuple[int, int]], time: DriveTime) -> list[Column]:
    """The columns of a camera in order: one for each frame while there are at most 400, and at most 400 for each line then.

    Args:
        stretches: frames of the camera.
        gaps: of :func:`find_gaps`.
        time: of the drive.
    """
    single = sum(stretch.frames for stretch in stretches) <= _COLUMNS
    columns: list[Column] = []
    last: tuple[int, int, int] | None = None
    for i, (run, stretch, (start, end)) in enumerate(_pieces(stretches, gaps, time)):
        key = run, i if single else min(int(start / (time.end or 1.0) * _COLUMNS), _COLUMNS - 1), 0
        if key != last:
            columns.append(Column(start, end, run))
        columns[-1].end = max(columns[-1].end, end)
        columns[-1].take(stretch)
        last = key
    return columns


def _pieces(
    stretches: Sequence[Stretch] | Stretches, gaps: set[tuple[int, int]], time: DriveTime
) -> Iterator[tuple[int, Stretch, tuple[float, float]]]:
    """Stretches with the numbers of their runs and their places; a gap within one ends its place there."""
    run, before = 0, None
    for stretch in stretches:
        if before is not None and (before, stretch.first_ns) in gaps:
            run += 1
        inside = sorted(
            gap for gap in gaps if stretch.frames > 1 and stretch.first_ns <= gap[0] and gap[1] <= stretch.last_ns
        )
        stop = inside[0][0] if inside else stretch.last_ns
        first, last = time.place([stretch.first_ns, stop]).tolist()
        yield run, stretch, (first, max(first, last))
        run += bool(inside)
        before = stretch.last_ns
