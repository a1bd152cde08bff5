# SPDX-License-Identifier: Apache-2.0
"""Find the frames that a frame of a camera follows, by its stamp."""

import math
from collections import deque
from collections.abc import Callable

from lsood_runtime._stream.history import History
from lsood_runtime._stream.picture_history import PictureHistory
from lsood_runtime._stream.policy import AlarmState
from lsood_runtime._stream.sequence import JITTER_NS, Sequence

_SECOND = 1_000_000_000
_FIRST_INTERVAL_NS = _SECOND // 5
_INTERVALS = 9
_GAP_INTERVALS = 5
_LONGEST_INTERVAL_NS = 60 * _SECOND
_MOST_SEQUENCES = 4
_FEWEST_FRAMES = 4
_STEPS, _STEPS_WITHIN = 2, 10
_EPOCH_NS = 10**17


class CameraClock:
    """Sorts the frames of one camera into sequences, each with stamps of one clock and with an alarm of its own.

    A frame belongs to the sequence whose latest stamp is nearest to its own, from a second before to the longest gap after.
    Where there is none it begins a new one, so that evidence from before a gap, of another recording or of another publisher
    does not add up with its own. A standing alarm goes over to the new sequence, and to the last one where its own ends.

    Args:
        start: makes the state of the policy for frames that follow nothing.
        window_s: seconds over which the policy looks back, by the number of frames a second.
        images: makes the memory of the images of such frames.

    Attributes:
        sequences: that go on, the last one that was seen first; empty before the first frame.
    """

    def __init__(
        self,
        start: Callable[[], AlarmState],
        window_s: Callable[[float], float],
        images: Callable[[], PictureHistory],
    ) -> None:
        self._start, self._window_s, self._images = start, window_s, images
        self.sequences: list[Sequence] = []
        self._intervals: deque[int] = deque([_FIRST_INTERVAL_NS] * 3, maxlen=_INTERVALS)
        self._steps_back: deque[int] = deque(maxlen=_STEPS)
        self._last_given = -1

    @property
    def interval_ns(self) -> int:
        """Usual time between two frames: the median of the last nine, three of 0.2 s before there are any."""
        return sorted(self._intervals)[(len(self._intervals) - 1) // 2]

    @property
    def longest_gap_ns(self) -> int:
        """Time without a frame up to which the history goes on: the window of the policy, at least five usual intervals."""
        return max(self._window_ns, _GAP_INTERVALS * self.interval_ns)

    @property
    def _window_ns(self) -> int:
        return math.ceil(self._window_s(_SECOND / self.interval_ns) * _SECOND)

    @property
    def alarmed(self) -> bool:
        """Whether one of the sequences has an alarm."""
        return any(sequence.alarmed for sequence in self.sequences)

    @property
    def statistic(self) -> float:
        """Progress towards the alarm, of the sequence that is nearest to it."""
        return max(sequence.alarm.statistic for sequence in self.sequences)

    def is_unset(self, stamp_ns: int) -> bool:
        """Whether a stamp of 0 means that the header was not filled in: after another 0, or after a time of day."""
        last, self._last_given = self._last_given, stamp_ns
        return stamp_ns == 0 and (last == 0 or last >= _EPOCH_NS)

    def place(self, stamp_ns: int, index: int) -> tuple[Sequence, History, str | None]:
        """Find or begin the sequence of the next frame, and go on to its stamp.

        Args:
            stamp_ns: of the frame.
            index: of the frame among those of the camera.

        Returns:
            The sequence, how the frame continues it, and what is wrong with the clock, None where nothing is.
        """
        if not self.sequences:
            return self._begin(stamp_ns, index), History.BEGINS, None
        self._end_unseen(index)
        current, gap_ns, interval_ns = self.sequences[0], self.longest_gap_ns, self.interval_ns
        near = [(sequence.distance_ns(stamp_ns, gap_ns), sequence) for sequence in self.sequences]
        fitting = [(distance, i) for i, (distance, _) in enumerate(near) if distance is not None]
        if fitting:
            chosen = near[min(fitting)[1]][1]
            self._count_interval(stamp_ns - chosen.latest_ns)
            fault = chosen.advance(stamp_ns, interval_ns)
            self._see(chosen, index)
            return chosen, History.CONTINUES if chosen is current else History.OTHER_CLOCK, fault
        within = max(_STEPS_WITHIN, math.ceil(self._window_ns / interval_ns))
        often = len(self._steps_back) == _STEPS and index - self._steps_back[0] < within
        ahead = stamp_ns > current.latest_ns
        if not ahead:
            self._steps_back.append(index)
        if often:
            fault = f"expected stamps of one clock, got {stamp_ns} ns: the clock goes back"
            sequence = self._begin(stamp_ns, index, keep=True)
            sequence.distrust()
            return sequence, History.CONTINUES, fault
        self._count_interval(stamp_ns - current.latest_ns)
        return self._begin(stamp_ns, index), History.AFTER_GAP if ahead else History.AFTER_STEP, None

    def place_unstamped(self, stamp_ns: int, index: int, elapsed_ns: int | None = None) -> Sequence:
        """Put what has no stamp of its own behind the last frame.

        Args:
            stamp_ns: begins the first sequence where there is none.
            index: of the frame among those of the camera.
            elapsed_ns: since the last frame; None for the usual interval.
        """
        if not self.sequences:
            return self._begin(stamp_ns, index)
        self.sequences[0].wait(self.interval_ns if elapsed_ns is None else elapsed_ns)
        self._see(self.sequences[0], index)
        return self.sequences[0]

    def _begin(self, stamp_ns: int, index: int, *, keep: bool = False) -> Sequence:
        """Begin a sequence, with the evidence of the last one where that has an alarm, or is to be kept."""
        sequence = Sequence(self._start(), stamp_ns, self._images())
        if self.sequences and (keep or self.sequences[0].alarmed):
            self._hand_over(self.sequences[0], sequence)
        self.sequences.insert(0, sequence)
        sequence.seen = index
        self._end_unseen(index)
        return sequence

    def _hand_over(self, giving: Sequence, taking: Sequence) -> None:
        taking.alarm, giving.alarm = giving.alarm, self._start()
        taking.alarmed, giving.alarmed = giving.alarmed, False
        taking.set_time(giving.time_ns + self.interval_ns)

    def _count_interval(self, interval_ns: int) -> None:
        if 0 < interval_ns <= _LONGEST_INTERVAL_NS:
            self._intervals.append(interval_ns)

    def _see(self, sequence: Sequence, index: int) -> None:
        self.sequences.remove(sequence)
        self.sequences.insert(0, sequence)
        sequence.seen = index

    def _end_unseen(self, index: int) -> None:
        """End the sequences that had no frame for a second, by the number of frames since then, and the fifth."""
        most = max(_FEWEST_FRAMES, math.ceil(JITTER_NS / self.interval_ns))
        going = [each for each in self.sequences if index - each.seen <= most][:_MOST_SEQUENCES] or self.sequences[:1]
        for ended in self.sequences:
            if ended not in going and ended.alarmed and not going[0].alarmed:
                self._hand_over(ended, going[0])
        self.sequences = going
