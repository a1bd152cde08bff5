# SPDX-License-Identifier: Apache-2.0
"""Figures of a calibration that policies build on."""

import math
from bisect import bisect_left

from lsood_runtime._arguments import check_number, check_type
from lsood_runtime._bundle.records import CalibrationRecord

FEWEST_EFFECTIVE_FRAMES = 20
"""Calibrations worth fewer independent frames tell too little of a rate to state one."""


def smallest_p_value(calibration: CalibrationRecord) -> float:
    """The p-value of a frame that scores above every calibration frame.

    Raises:
        TypeError: no calibration.
    """
    _check_calibration(calibration)
    return 1 / (len(calibration.scores) + 1)


def p_value(calibration: CalibrationRecord, score: float) -> float:
    """Share of in-distribution frames that score at least as high as a finite score, the frame itself among them.

    Raises:
        TypeError: no calibration.
    """
    _check_calibration(calibration)
    count = len(calibration.scores)
    return (1 + count - bisect_left(calibration.scores, score)) / (count + 1)


def correlation_frames(calibration: CalibrationRecord) -> int:
    """Number of consecutive calibration frames that are equivalent to one independent frame, at least 1.

    Raises:
        TypeError: no calibration.
    """
    _check_calibration(calibration)
    return max(1, math.ceil(len(calibration.scores) / max(calibration.effective_frames, 1.0) - 1e-9))


def checked_rate(frames_per_second: float) -> float:
    """A frame rate by which a policy counts.

    Raises:
        TypeError: no number.
        ValueError: not above 0, or not finite.
    """
    return check_number(
        frames_per_second, "frames a second above 0", "pass the camera's", lambda rate: 0 < rate < math.inf
    )


def _check_calibration(calibration: object) -> None:
    check_type(calibration, CalibrationRecord, "the calibration of a bundle", "pass manifest.calibration")
