# SPDX-License-Identifier: Apache-2.0
"""Keep the scores of a camera in memory that does not grow: neighbouring frames are merged into stretches of the drive."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from lsood_runtime._assessment import State

_SAMPLES, _GAPS = 8, 64


@dataclass(frozen=True, slots=True)
class Point:
    """One frame of a timeline.

    ``late`` is true of a late frame whatever its state; ``quality`` is the expected quality, NaN where there is none;
    ``faulty_tiles`` is true of a frame whose raw picture has any, ``quality_alarm`` of one with an alarm by its expected
    quality.
    """

    stamp_ns: int
    score: float
    state: State
    alarm: bool
    late: bool = False
    quality: float = math.nan
    faulty_tiles: bool = False
    quality_alarm: bool = False


@dataclass(slots=True)
class Stretch:
    """Frames one after another.

    Attributes:
        first_ns: stamp of the first frame.
        last_ns: of the last.
        frames: how many they are.
        ranges: lowest and highest score of the frames of each state that occurs.
        alarm: whether any of them has an alarm.
        late: whether any of them is late.
        sample: scores of at most 8 of the frames, evenly spaced, the first among them.
        quality_sum: of the expected qualities that are known.
        quality_frames: how many are.
        quality_alarm: whether any of them has an alarm by the expected quality.
    """

    first_ns: int
    last_ns: int
    frames: int
    ranges: dict[State, tuple[float, float]]
    alarm: bool
    late: bool
    sample: tuple[float, ...]
    quality_sum: float = 0.0
    quality_frames: int = 0
    quality_alarm: bool = False

    def absorb(self, later: "Stretch") -> None:
        """Take in the stretch that follows."""
        self.last_ns = later.last_ns
        self.frames += later.frames
        for state, (low, high) in later.ranges.items():
            known = self.ranges.get(state, (low, high))
            self.ranges[state] = min(low, known[0]), max(high, known[1])
        self.alarm |= later.alarm
        self.late |= later.late
        self.quality_alarm |= later.quality_alarm
        self.quality_sum += later.quality_sum
        self.quality_frames += later.quality_frames
        both = self.sample + later.sample
        self.sample = both if len(both) <= _SAMPLES else both[::2]


class Stretches:
    """The frames of a camera in at most ``limit`` stretches of equal numbers of frames; single frames while they fit.

    When they no longer fit, each two neighbours become one. Extremes, states and alarms are kept; which of a stretch's frames
    they belong to is not.

    Args:
        limit: even, at least 2.
    """

    def __init__(self, limit: int = 4096) -> None:
        if limit < 2 or limit % 2:
            raise ValueError(f"expected an even limit of at least 2, got {limit}: neighbours are merged in pairs")
        self._limit, self._length = limit, 1
        self._stretches: list[Stretch] = []
        self._steps: list[tuple[int, int, int]] = []

    def add(self, point: Point) -> None:
        """Take in the next frame."""
        if self._stretches:
            self._add_step(self._stretches[-1].last_ns, point.stamp_ns)
        new = Stretch(
            point.stamp_ns,
            point.stamp_ns,
            1,
            {point.state: (point.score, point.score)},
            point.alarm,
            point.late or point.state is State.LATE,
            (point.score,),
            point.quality if math.isfinite(point.quality) else 0.0,
            int(math.isfinite(point.quality)),
            point.quality_alarm,
        )
        if self._stretches and self._stretches[-1].frames < self._length:
            self._absorb_one(self._stretches[-1], new)
            return
        if len(self._stretches) == self._limit:
            for earlier, later in zip(self._stretches[::2], self._stretches[1::2], strict=True):
                earlier.absorb(later)
            del self._stretches[1::2]
            self._length *= 2
        self._stretches.append(new)

    def _absorb_one(self, last: Stretch, new: Stretch) -> None:
        """Add a frame to the last stretch, and to its sample at the spacing that the sample of a whole one has."""
        if last.frames % max(1, self._length // _SAMPLES):
            new.sample = ()
        last.absorb(new)

    def _add_step(self, start_ns: int, end_ns: int) -> None:
        step = abs(end_ns - start_ns), start_ns, end_ns
        if len(self._steps) < _GAPS:
            heapq.heappush(self._steps, step)
        else:
            heapq.heappushpop(self._steps, step)

    @property
    def longest_steps(self) -> list[tuple[int, int]]:
        """The longest steps between frames one after another, 64 at most, each by the stamps of both."""
        return sorted((start, end) for _, start, end in self._steps)

    def __iter__(self) -> Iterator[Stretch]:
        """From the first to the last."""
        return iter(self._stretches)

    def __len__(self) -> int:
        return len(self._stretches)
