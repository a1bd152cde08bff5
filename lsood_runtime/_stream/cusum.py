# SPDX-License-Identifier: Apache-2.0
"""Alarm policy that accumulates evidence: CUSUM on e-values."""

import math
from dataclasses import dataclass

from lsood_runtime._arguments import check_number
from lsood_runtime._bundle.records import CalibrationRecord
from lsood_runtime._stream.calibration_figures import (
    FEWEST_EFFECTIVE_FRAMES,
    checked_rate,
    correlation_frames,
    smallest_p_value,
)
from lsood_runtime._stream.policy import AlarmState, Evidence
from lsood_runtime._text.number_text import number_text

_FEWEST_SCORES = 4
_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Cusum:
    """Alarm when the evidence of many frames adds up, with a stated mean time between false alarms.

    Each frame has the e-value ``e = p**-0.5 / m``. The mean of ``p**-0.5`` over in-distribution frames is that over the
    p-values which the calibration can give, up to the chance of so few frames; ``m`` is larger than that mean by two
    standard deviations of this chance. So the mean of ``e`` is at most 1 *given this calibration*, for nineteen of twenty
    that are worth 20 independent frames or more. The sum of ``log e``, never below 0, is Page's CUSUM (1954) on e-values;
    by the e-detector bound (Shin, Ramdas and Rinaldo 2023) it takes ``exp(h)`` independent in-distribution frames or more
    on average to reach ``h``. Frames of a video are not independent: of ``r`` in a row, as many as the calibration's
    frames are worth one independent frame, each adds the r-th part, since a geometric mean of dependent e-values is still
    one. The alarm is cleared when the sum is back at 0.

    The bound holds for frames distributed and correlated as those of the calibration, at the rate at which those were taken.

    Attributes:
        hours_between_false_alarms: mean time, at least.
        frames_per_second: of the camera.
    """

    hours_between_false_alarms: float = 1.0
    frames_per_second: float = 30.0

    def __post_init__(self) -> None:
        for number in (self.hours_between_false_alarms, self.frames_per_second):
            check_number(
                number,
                "a time and a frame rate above 0",
                "1 h and 30 frames/s are the defaults",
                lambda value: 0 < value < math.inf,
            )
        if not math.isfinite(self._frames):
            raise ValueError(
                f"expected frames between false alarms that can be counted, got {self.hours_between_false_alarms:g} h at "
                f"{self.frames_per_second:g} a second: 1 h and 30 frames/s are the defaults"
            )

    def start(self, calibration: CalibrationRecord) -> AlarmState:
        """As :meth:`Policy.start`."""
        height, share = self._constants(calibration)
        return _CusumState(height=height, share=share, log_mean=_log_mean(calibration))

    def delay_frames(self, calibration: CalibrationRecord, frames_per_second: float) -> int:
        """As :meth:`Policy.delay_frames`."""
        height, share = self._constants(calibration)
        return math.ceil(height / (share * _log_e_value(smallest_p_value(calibration), _log_mean(calibration))) - 1e-9)

    def window_s(self, calibration: CalibrationRecord, frames_per_second: float) -> float:
        """As :meth:`Policy.window_s`."""
        return self.delay_frames(calibration, frames_per_second) / checked_rate(frames_per_second)

    def __str__(self) -> str:
        """The text that :func:`parse_policy` reads."""
        return f"cusum:{number_text(self.hours_between_false_alarms)}h@{number_text(self.frames_per_second)}"

    @property
    def _frames(self) -> float:
        """Frames between false alarms."""
        return 3600 * self.hours_between_false_alarms * self.frames_per_second

    def _constants(self, calibration: CalibrationRecord) -> tuple[float, float]:
        """``h``, and the share of its ``log e`` that a frame adds."""
        together = correlation_frames(calibration)
        frames = self._frames
        if frames <= together:
            raise ValueError(
                f"expected more than {together} frames between false alarms, since so many are equivalent to one, "
                f"got {frames:g}: allow fewer false alarms"
            )
        if len(calibration.scores) < _FEWEST_SCORES:
            raise ValueError(
                f"expected at least {_FEWEST_SCORES} calibration scores, got {len(calibration.scores)}: "
                "calibrate with more frames"
            )
        return math.log(frames / together), 1 / together


class _CusumState:
    def __init__(self, *, height: float, share: float, log_mean: float) -> None:
        self._height, self._share, self._log_mean = height, share, log_mean
        self._sum, self._alarm, self.statistic = 0.0, False, 0.0

    def update(self, evidence: Evidence) -> bool:
        self._sum = min(
            max(self._sum + self._share * _log_e_value(evidence.p_value, self._log_mean), 0.0), self._height
        )
        self._alarm = self._sum >= self._height or (self._alarm and self._sum > 0)
        self.statistic = self._sum / self._height
        return self._alarm


def _log_e_value(p_value: float, log_mean: float) -> float:
    return -0.5 * math.log(p_value) - log_mean


def _log_mean(calibration: CalibrationRecord) -> float:
    """``log m``: the mean of ``p**-0.5``, and two standard deviations that it has over calibrations of as many frames.

    Of a calibration that is worth fewer than 20 independent ones, of which no rate is stated, it is as if it were worth 20:
    more would double the delay and let nothing be stated either.
    """
    steps = len(calibration.scores) + 1
    mean = math.fsum((rank / steps) ** -0.5 for rank in range(1, steps + 1)) / steps
    square = math.fsum(steps / rank for rank in range(1, steps + 1)) / steps
    independent = max(calibration.effective_frames, FEWEST_EFFECTIVE_FRAMES) - 1
    return math.log(mean + _DEVIATIONS * math.sqrt((square - mean**2) / independent))
