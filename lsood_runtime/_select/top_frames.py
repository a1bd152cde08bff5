# SPDX-License-Identifier: Apache-2.0
"""The most relevant frames of a stream, at most so many in all and of each drive, in memory that does not grow."""

import heapq
from bisect import insort
from collections.abc import Iterator

from lsood_runtime._select.scored_frame import Key, ScoredFrame


class TopFrames:
    """Keeps the ``most`` frames with the highest keys among the ``per_drive`` highest of each drive.

    What is kept depends on the frames alone, not on their order: two of these, each of a part of the frames, merge into that
    of all. A frame that comes again is kept once.

    Why it is exact: once ``most`` frames are kept, the lowest key never falls again, and a frame that has left was either
    below ``most`` better ones or below ``per_drive`` better ones of its drive; no later frame can change that.

    Args:
        term: whose order counts.
        most: frames in all.
        per_drive: frames of one drive.
    """

    def __init__(self, term: str, most: int, per_drive: int) -> None:
        self._term, self._most, self._per_drive = term, most, per_drive
        self._frames: dict[Key, ScoredFrame] = {}
        self._drives: dict[str, list[Key]] = {}
        self._heap: list[Key] = []

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[ScoredFrame]:
        """The frames, the most relevant first."""
        return (self._frames[key] for key in sorted(self._frames, reverse=True))

    @property
    def floor(self) -> float | None:
        """Value below which no frame is taken; None while any is."""
        return self._lowest()[0] if len(self._frames) == self._most else None

    def add(self, frame: ScoredFrame) -> None:
        """Take a frame in, where it is among the highest."""
        key = frame.key(self._term)
        if key in self._frames or (len(self._frames) == self._most and key < self._lowest()):
            return
        own = self._drives.setdefault(frame.drive, [])
        if len(own) == self._per_drive:
            if key < own[0]:
                return
            del self._frames[own.pop(0)]
        insort(own, key)
        self._frames[key] = frame
        heapq.heappush(self._heap, key)
        if len(self._frames) > self._most:
            self._drop_lowest()
        if len(self._heap) > 2 * self._most + 16:  # keys that left by their drive
            self._heap = sorted(self._frames)

    def merge(self, other: "TopFrames") -> None:
        """Take in the frames that another one kept."""
        for frame in other:
            self.add(frame)

    def _lowest(self) -> Key:
        while self._heap[0] not in self._frames:
            heapq.heappop(self._heap)
        return self._heap[0]

    def _drop_lowest(self) -> None:
        key = self._lowest()
        drive = self._frames.pop(key).drive
        own = self._drives[drive]
        own.remove(key)
        if not own:
            del self._drives[drive]
