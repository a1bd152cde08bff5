# SPDX-License-Identifier: Apache-2.0
"""Figures of a calibration that policies build on."""

import math

from lsood_runtime._bundle.records import CalibrationRecord


def smallest_p_value(calibration: CalibrationRecord) -> float:
    """The p-value of a frame that scores above every calibration frame."""
    return 1 / (len(calibration.scores) + 1)


def correlation_frames(calibration: CalibrationRecord) -> int:
    """Number of consecutive calibration frames that are equivalent to one independent frame, at least 1."""
    return max(1, math.ceil(len(calibration.scores) / max(calibration.effective_frames, 1.0) - 1e-9))
