# SPDX-License-Identifier: Apache-2.0
"""Alarm policies that decide by the last frames: k of n, hysteresis, minimum duration."""

import math
from collections import deque
from dataclasses import dataclass

from lsood_runtime._arguments import check_count, check_number
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._stream.calibration_figures import checked_rate, smallest_p_value
from lsood_runtime._stream.policy import AlarmState, Evidence
from lsood_runtime._text.number_text import number_text

_NANOSECONDS = 1e9
_MOST_FRAMES, _LONGEST_S = 1_000_000, 1e9
_MOST_COUNTED = 9e18  # frames: C++ counts them in 64 bits


@dataclass(frozen=True, slots=True)
class KOfN:
    """Alarm while at least ``k`` of the last ``n`` frames are out of distribution."""

    k: int = 3
    n: int = 5

    def __post_init__(self) -> None:
        for number in (self.k, self.n):
            check_count(number, f"1 <= k <= n <= {_MOST_FRAMES}", "3 and 5 are the defaults", most=_MOST_FRAMES)
        if self.k > self.n:
            raise ValueError(f"expected 1 <= k <= n, got k = {self.k} and n = {self.n}: 3 and 5 are the defaults")

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        return _KOfNState(int(self.k), int(self.n))

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        return self.k

    def window_s(self, calibration: CalibrationRecord, frames_per_second: float) -> float:
        """As :meth:`Policy.window_s`."""
        return self.n / checked_rate(frames_per_second)

    def __str__(self) -> str:
        """The text that :func:`parse_policy` reads."""
        return f"{self.k}of{self.n}"


class _KOfNState:
    def __init__(self, k: int, n: int) -> None:
        self._k, self._seen, self.statistic = k, deque([False] * n, maxlen=n), 0.0

    def update(self, evidence: Evidence) -> bool:
        self._seen.append(evidence.is_ood)
        count = sum(self._seen)
        self.statistic = count / self._k
        return count >= self._k


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Alarm from a frame whose p-value is at most ``raise_at`` until one whose p-value is above ``clear_at``."""

    raise_at: float = 0.01
    clear_at: float = 0.2

    def __post_init__(self) -> None:
        for number in (self.raise_at, self.clear_at):
            check_number(number, "p-values between 0 and 1", "0.01 and 0.2 are the defaults", lambda p: 0 < p < 1)
        if not self.raise_at < self.clear_at:
            raise ValueError(
                f"expected 0 < raise_at < clear_at < 1, got {self.raise_at} and {self.clear_at}: "
                "0.01 and 0.2 are the defaults"
            )

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        if smallest_p_value(calibration) > self.raise_at:
            raise ValueError(
                f"expected p-values down to {self.raise_at:g}, {len(calibration.scores)} calibration scores give none below "
                f"{smallest_p_value(calibration):.2g}: calibrate with more frames, or increase raise_at"
            )
        return _HysteresisState(self.raise_at, self.clear_at)

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        self.start(calibration)
        return 1

    def window_s(self, calibration: CalibrationRecord, frames_per_second: float) -> float:
        """As :meth:`Policy.window_s`."""
        return 1 / checked_rate(frames_per_second)

    def __str__(self) -> str:
        """The text that :func:`parse_policy` reads."""
        return f"hysteresis:{number_text(self.raise_at)}:{number_text(self.clear_at)}"


class _HysteresisState:
    def __init__(self, raise_at: float, clear_at: float) -> None:
        self._raise_at, self._clear_at, self._alarm, self.statistic = raise_at, clear_at, False, 0.0

    def update(self, evidence: Evidence) -> bool:
        self._alarm = evidence.p_value <= (self._clear_at if self._alarm else self._raise_at)
        self.statistic = math.log(evidence.p_value) / math.log(self._raise_at)
        return self._alarm


@dataclass(frozen=True, slots=True)
class MinimumDuration:
    """Alarm once all frames of ``seconds`` are out of distribution, until none of the last ``hold_seconds`` is."""

    seconds: float = 0.5
    hold_seconds: float = 0.5

    def __post_init__(self) -> None:
        for number in (self.seconds, self.hold_seconds):
            check_number(
                number,
                f"durations of at least 0 s and at most {_LONGEST_S:g} s",
                "0.5 is the default",
                lambda s: 0 <= s <= _LONGEST_S,
            )

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        return _DurationState(self.seconds, self.hold_seconds)

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        frames = self.seconds * checked_rate(frames_per_second)
        if not frames < _MOST_COUNTED:
            raise ValueError(
                f"expected a delay that can be counted, got {frames:g} frames: pass the camera's frame rate"
            )
        return math.ceil(frames - 1e-9) + 1

    def window_s(self, calibration: CalibrationRecord, frames_per_second: float) -> float:
        """As :meth:`Policy.window_s`."""
        return self.seconds

    def __str__(self) -> str:
        """The text that :func:`parse_policy` reads."""
        held = "" if self.hold_seconds == self.seconds else f":{number_text(self.hold_seconds)}"
        return f"duration:{number_text(self.seconds)}{held}"


class _DurationState:
    def __init__(self, seconds: float, hold_seconds: float) -> None:
        self._wait_ns, self._hold_ns = round(_NANOSECONDS * seconds), round(_NANOSECONDS * hold_seconds)
        self._since: int | None = None
        self._last, self._alarm, self.statistic = 0, False, 0.0

    def update(self, evidence: Evidence) -> bool:
        stamp = evidence.stamp_ns
        if evidence.is_ood:
            self._since = stamp if self._since is None else self._since
            self._last = stamp
            lasted = stamp - self._since
            self.statistic = 1.0 if lasted >= self._wait_ns else lasted / self._wait_ns
            self._alarm = self._alarm or lasted >= self._wait_ns
        else:
            self._since, self.statistic = None, 0.0
            self._alarm = self._alarm and stamp - self._last <= self._hold_ns
        return self._alarm
