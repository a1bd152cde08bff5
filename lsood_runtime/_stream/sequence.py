# SPDX-License-Identifier: Apache-2.0
"""Frames of one camera by one clock, with the alarm that they add up to."""

from lsood_runtime._stream.picture_history import PictureHistory
from lsood_runtime._stream.policy import AlarmState

JITTER_NS = 1_000_000_000
"""Stamps that go back by no more than this are frames in another order, or a clock that is adjusted."""

_NOT_LATER = 3
_BEHIND = 5


class Sequence:
    """Frames that follow each other by one clock.

    Its time counts what was observed: it goes ahead with the stamps, stands while frames come in another order, and leaves
    out gaps and steps of the clock.

    Args:
        alarm: state of the policy.
        stamp_ns: of the first frame.
        image: what was seen; nothing yet.

    Attributes:
        alarm: state of the policy.
        alarmed: whether it has an alarm.
        time_ns: observed time, never falling; the stamp, until the clock is adjusted.
        latest_ns: the latest stamp.
        previous_ns: the stamp of the last frame.
        same_stamp: whether the last frame had the stamp of the one before it.
        seen: index of the last frame among those of the camera.
        image: what was seen last.
    """

    def __init__(self, alarm: AlarmState, stamp_ns: int, image: PictureHistory) -> None:
        self.alarm, self.alarmed = alarm, False
        self.time_ns = self.latest_ns = self.previous_ns = stamp_ns
        self.same_stamp, self.seen = False, 0
        self.image = image
        self._not_later = self._behind = self._ahead_ns = 0

    def distance_ns(self, stamp_ns: int, longest_gap_ns: int) -> int | None:
        """How far a stamp is from the latest; None where it cannot be that of the next frame."""
        ahead = stamp_ns - self.latest_ns
        return abs(ahead) if -JITTER_NS <= ahead <= longest_gap_ns else None

    def advance(self, stamp_ns: int, interval_ns: int) -> str | None:
        """Go on to the next frame, whose stamp fits; the result says what is wrong with the clock, None where nothing is.

        Where frames overtake each other a stamp may be no later than the one before it; the third such stamp in a row is that
        of a clock that stands still or goes back. The fifth frame in a row behind the latest stamp tells that the clock was
        set back; until then their time counts, and is taken off again where a later stamp shows that they were overtaken.

        Args:
            stamp_ns: of the frame.
            interval_ns: between two frames, usually.
        """
        rise_ns = stamp_ns - self.previous_ns
        self.same_stamp, self.previous_ns = rise_ns == 0, stamp_ns
        self._not_later = self._not_later + 1 if rise_ns <= 0 else 0
        if self._not_later >= _NOT_LATER:
            self.skip_to(stamp_ns, interval_ns)
            if self.same_stamp:
                return f"expected a later stamp, got {stamp_ns} ns once more: the clock of the camera stands still"
            return f"expected a later stamp, got {self._not_later} in a row that are not: the clock goes back"
        if stamp_ns > self.latest_ns:
            self.skip_to(stamp_ns, max(0, stamp_ns - self.latest_ns - self._ahead_ns))
            return None
        self._behind += 1
        if self._behind > 1 and rise_ns > 0:
            self.time_ns += rise_ns
            self._ahead_ns += rise_ns
        if self._behind >= _BEHIND and rise_ns > 0:
            self.skip_to(stamp_ns, 0)
        return None

    def wait(self, elapsed_ns: int) -> None:
        """Let time pass without a stamp, which the next stamp does not count once more."""
        self.time_ns += elapsed_ns
        self._ahead_ns += elapsed_ns

    def skip_to(self, stamp_ns: int, elapsed_ns: int) -> None:
        """Go on to a stamp; ``elapsed_ns`` has passed, whatever the stamp tells."""
        self.time_ns += elapsed_ns
        self.latest_ns = self.previous_ns = stamp_ns
        self._behind = self._ahead_ns = 0

    def distrust(self) -> None:
        """Take the next stamp that is not later for a clock that goes back, since this sequence began with one."""
        self._not_later = _NOT_LATER - 1

    def set_time(self, time_ns: int) -> None:
        """Go over to the observed time of another sequence, whose alarm this one takes over."""
        self.image.shift(time_ns - self.time_ns)
        self.time_ns = time_ns
