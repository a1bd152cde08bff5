# SPDX-License-Identifier: Apache-2.0
"""Keep the scores of a camera in memory that does not grow: neighbouring frames are merged into stretches of the drive."""

from collections.abc import Iterator
from dataclasses import dataclass

from lsood_runtime._assessment import State


@dataclass(frozen=True, slots=True)
class Point:
    """One frame of a timeline."""

    stamp_ns: int
    score: float
    state: State
    alarm: bool


@dataclass(slots=True)
class Stretch:
    """Frames one after another.

    Attributes:
        first_ns: stamp of the first frame.
        last_ns: of the last.
        frames: how many they are.
        ranges: lowest and highest score of the frames of each state that occurs.
        alarm: whether any of them has an alarm.
    """

    first_ns: int
    last_ns: int
    frames: int
    ranges: dict[State, tuple[float, float]]
    alarm: bool

    def absorb(self, later: "Stretch") -> None:
        """Take in the stretch that follows."""
        self.last_ns = later.last_ns
        self.frames += later.frames
        for state, (low, high) in later.ranges.items():
            known = self.ranges.get(state, (low, high))
            self.ranges[state] = min(low, known[0]), max(high, known[1])
        self.alarm |= later.alarm


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

    def add(self, point: Point) -> None:
        """Take in the next frame."""
        new = Stretch(point.stamp_ns, point.stamp_ns, 1, {point.state: (point.score, point.score)}, point.alarm)
        if self._stretches and self._stretches[-1].frames < self._length:
            self._stretches[-1].absorb(new)
            return
        if len(self._stretches) == self._limit:
            for earlier, later in zip(self._stretches[::2], self._stretches[1::2], strict=True):
                earlier.absorb(later)
            del self._stretches[1::2]
            self._length *= 2
        self._stretches.append(new)

    def __iter__(self) -> Iterator[Stretch]:
        """From the first to the last."""
        return iter(self._stretches)

    def __len__(self) -> int:
        return len(self._stretches)
