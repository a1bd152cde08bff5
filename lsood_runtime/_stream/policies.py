# SPDX-License-Identifier: Apache-2.0
"""When a camera's frames add up to an alarm. Deterministic: the same evidence gives the same alarms, live or replayed."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from lsood_runtime._bundle.records import CalibrationRecord

_NANOSECONDS = 1e9
_FEWEST_SCORES = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a policy sees of a frame.

    Attributes:
        is_ood: out of distribution, or no valid frame.
        p_value: in (0, 1]; the smallest that the calibration can give where there is no valid frame.
        stamp_ns: of the frame, nanoseconds, never falling.
    """

    is_ood: bool
    p_value: float
    stamp_ns: int


class AlarmState(Protocol):
    """A policy at work on one camera."""

    statistic: float
    """How near the alarm is: it is raised at 1."""

    def update(self, evidence: Evidence) -> bool:
        """Take the next frame in, and say whether there is an alarm."""


class Policy(Protocol):
    """A rule for raising and clearing an alarm."""

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """Begin with a camera that has sent nothing yet.

        Raises:
            ValueError: the calibration is too small for this rule.
        """

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """Frames until the alarm, where all are out of distribution and stranger than every calibration frame.

        Raises:
            ValueError: as for :meth:`start`.
        """


@dataclass(frozen=True, slots=True)
class KOfN:
    """Alarm while at least ``k`` of the last ``n`` frames are out of distribution."""

    k: int = 3
    n: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise ValueError(f"expected 1 <= k <= n, got k = {self.k} and n = {self.n}")

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        return _Window(self.k, self.n)

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        return self.k


class _Window:
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
        if not 0 < self.raise_at < self.clear_at < 1:
            raise ValueError(f"expected 0 < raise_at < clear_at < 1, got {self.raise_at} and {self.clear_at}")

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        if smallest_p_value(calibration) > self.raise_at:
            raise ValueError(
                f"expected p-values down to {self.raise_at:g}, {len(calibration.scores)} calibration scores give none below "
                f"{smallest_p_value(calibration):.2g}: calibrate with more frames, or raise at more"
            )
        return _Schmitt(self.raise_at, self.clear_at)

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        self.start(calibration)
        return 1


class _Schmitt:
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
        if not (self.seconds >= 0 and self.hold_seconds >= 0 and math.isfinite(self.seconds + self.hold_seconds)):
            raise ValueError(f"expected durations of at least 0 s, got {self.seconds} and {self.hold_seconds}")

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        return _Timer(self.seconds, self.hold_seconds)

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        return math.ceil(self.seconds * frames_per_second - 1e-9) + 1


class _Timer:
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


@dataclass(frozen=True, slots=True)
class Cusum:
    """Alarm when the evidence of many frames adds up, with a stated mean time between false alarms.

    Each frame bets against the familiar: ``e = p**-0.5 / m`` has the mean 1 where each p-value that the calibration can give
    is as likely as the others, and ``m`` is the mean of ``p**-0.5`` over them. The sum of
    ``log e``, never below 0, is Page's CUSUM (1954) on e-values; by the e-detector bound (Shin, Ramdas and Rinaldo 2023) it
    takes ``exp(h)`` independent frames or more on average to reach ``h`` on familiar ground. Frames of a video are not
    independent: of ``r`` in a row, as many as the calibration's frames are worth one independent frame, each adds the r-th
    part, since a geometric mean of dependent e-values is still one. The alarm is cleared when the sum is back at 0.

    The promise is for frames that are as strange, and as like each other, as those of the calibration, at the rate at which
    those were taken; it is a mean over calibrations, not a bound for each.
    """

    hours_between_false_alarms: float = 1.0
    frames_per_second: float = 30.0

    def __post_init__(self) -> None:
        if not (0 < self.hours_between_false_alarms < math.inf and 0 < self.frames_per_second < math.inf):
            raise ValueError(
                f"expected a time and a frame rate above 0, got {self.hours_between_false_alarms} h and "
                f"{self.frames_per_second} frames/s"
            )

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        return _Sum(*self._constants(calibration), _log_mean_bet(calibration))

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        height, share = self._constants(calibration)
        return math.ceil(height / (share * _log_bet(smallest_p_value(calibration), _log_mean_bet(calibration))) - 1e-9)

    def _constants(self, calibration: CalibrationRecord) -> tuple[float, float]:
        """``h``, and the share of its bet that a frame adds."""
        together = correlation_frames(calibration)
        frames = 3600 * self.hours_between_false_alarms * self.frames_per_second
        if frames <= together:
            raise ValueError(
                f"expected more than {together} frames between false alarms, since so many are worth one, got {frames:g}"
            )
        if len(calibration.scores) < _FEWEST_SCORES:
            raise ValueError(
                f"expected at least {_FEWEST_SCORES} calibration scores, got {len(calibration.scores)}: calibrate with more"
            )
        return math.log(frames / together), 1 / together


class _Sum:
    def __init__(self, height: float, share: float, log_mean: float) -> None:
        self._height, self._share, self._log_mean, self._sum, self._alarm, self.statistic = (
            height,
            share,
            log_mean,
            0.0,
            False,
            0.0,
        )

    def update(self, evidence: Evidence) -> bool:
        self._sum = min(max(self._sum + self._share * _log_bet(evidence.p_value, self._log_mean), 0.0), self._height)
        self._alarm = self._sum >= self._height or (self._alarm and self._sum > 0)
        self.statistic = self._sum / self._height
        return self._alarm


def smallest_p_value(calibration: CalibrationRecord) -> float:
    """That of a frame stranger than every calibration frame."""
    return 1 / (len(calibration.scores) + 1)


def correlation_frames(calibration: CalibrationRecord) -> int:
    """How many consecutive calibration frames are worth one independent frame, at least 1."""
    return max(1, math.ceil(len(calibration.scores) / max(calibration.effective_frames, 1.0) - 1e-9))


def _log_bet(p_value: float, log_mean: float) -> float:
    return -0.5 * math.log(p_value) - log_mean


def _log_mean_bet(calibration: CalibrationRecord) -> float:
    steps = len(calibration.scores) + 1
    return math.log(sum((rank / steps) ** -0.5 for rank in range(1, steps + 1)) / steps)
