# SPDX-License-Identifier: Apache-2.0
"""Choose the moments of a drive with the highest scores, in memory that does not grow with the drive."""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Picture = TypeVar("Picture")

_SLOTS, _ROOM = 4, 8


@dataclass(frozen=True, slots=True, eq=False)
class Moment(Generic[Picture]):
    """A frame that may be shown.

    Attributes:
        score: of the frame; ``inf`` where there is none, which ranks behind every number.
        camera: that sent it.
        stamp_ns: of the frame.
        picture: what is shown of it.
    """

    score: float
    camera: str
    stamp_ns: int
    picture: Picture

    @property
    def place(self) -> tuple[bool, float]:
        """Sorts the highest score first, and a frame without a score last."""
        return (True, 0.0) if math.isinf(self.score) else (False, -self.score)


def spaced(ranked: Sequence[Moment[Picture]], count: int, apart_ns: int) -> list[Moment[Picture]]:
    """Suppress what is not the highest around it: take the first, then the next that is no nearer to one of its camera.

    Args:
        ranked: by :attr:`Moment.place`.
        count: how many to take at most.
        apart_ns: the least time between two of a camera.
    """
    taken: list[Moment[Picture]] = []
    for moment in ranked:
        if len(taken) == count:
            break
        if all(other.camera != moment.camera or abs(other.stamp_ns - moment.stamp_ns) >= apart_ns for other in taken):
            taken.append(moment)
    return taken


class Moments(Generic[Picture]):
    """Keeps the ``count`` highest scores of a drive that lie ``apart_ns`` from each other in time, for each camera.

    A drive too short for so many, such as twelve images at ten a second, has them nearer to each other: the time is halved
    until there are ``count``, or every frame is shown.

    What lies below ``count`` moments can never be among the highest again and is forgotten. Of what is left at most
    ``8 * count`` frames are kept: first the moments, then the highest of each quarter of ``apart_ns``, then the others.

    Args:
        count: number of moments, at least 1.
        apart_ns: nanoseconds, at least 4.
    """

    def __init__(self, count: int, apart_ns: int = 1_000_000_000) -> None:
        self._count, self._apart_ns = count, apart_ns
        self._ranked: list[Moment[Picture]] = []
        self._full = False

    def wants(self, score: float) -> bool:
        """Whether a frame of this score can be among those that are shown."""
        return not self._full or Moment(score, "", 0, None).place < self._ranked[-1].place

    def add(self, moment: Moment[Picture]) -> None:
        """Take in the next frame; of equal scores the first stays first."""
        if not self.wants(moment.score):
            return
        insort(self._ranked, moment, key=lambda other: other.place)
        highest = spaced(self._ranked, self._count, self._apart_ns)
        self._full = len(highest) == self._count
        if self._full:
            del self._ranked[self._ranked.index(highest[-1]) + 1 :]
        if len(self._ranked) > _ROOM * self._count:
            self._thin(highest)

    def _thin(self, highest: Sequence[Moment[Picture]]) -> None:
        slots: set[tuple[str, int]] = set()
        firsts, others = list[Moment[Picture]](), list[Moment[Picture]]()
        for moment in self._ranked:
            slot = moment.camera, moment.stamp_ns * _SLOTS // self._apart_ns
            if moment not in highest:
                (others if slot in slots else firsts).append(moment)
            slots.add(slot)
        kept = [*highest, *firsts, *others][: _ROOM * self._count]
        self._ranked = sorted(kept, key=lambda moment: moment.place)

    def chosen(self) -> tuple[list[Moment[Picture]], int]:
        """The moments to show, the highest score first, and how far apart those of a camera are at least, in nanoseconds."""
        apart_ns = self._apart_ns
        while len(moments := spaced(self._ranked, self._count, apart_ns)) < self._count and apart_ns:
            apart_ns //= 2
        return moments, apart_ns

    def __len__(self) -> int:
        """How many frames are kept in memory."""
        return len(self._ranked)
