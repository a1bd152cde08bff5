# SPDX-License-Identifier: Apache-2.0
"""Simulated scores of in-distribution frames that resemble the frames before them, and calibrations of such scores."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.records import CalibrationRecord

ScoreSeries = NDArray[np.float32]

_SPREAD_OF_LENGTH = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class DrawnCalibration:
    """A calibration as it might have been.

    Attributes:
        scores: ascending normal scores of its frames.
        threshold: above which a frame is out of distribution.
    """

    scores: ScoreSeries
    threshold: float


def correlated_scores(steps: int, chains: int, together: float, rng: np.random.Generator) -> ScoreSeries:
    """Draw ``(steps, chains)`` normal scores, each chain a first-order autoregression.

    Args:
        steps: frames of a chain.
        chains: independent ones.
        together: consecutive frames that are equivalent to one independent frame, ``(1 + rho) / (1 - rho)``.
        rng: to draw from.
    """
    rho = (together - 1) / (together + 1)
    scores = rng.standard_normal((steps, chains), dtype=np.float32)
    scores[1:] *= np.float32(math.sqrt(1 - rho**2))
    if rho > 0:
        for i in range(1, steps):
            scores[i] += np.float32(rho) * scores[i - 1]
    return scores


def draw_calibrations(
    calibration: CalibrationRecord, threshold: float, together: float, count: int, rng: np.random.Generator
) -> list[DrawnCalibration]:
    """Draw calibrations of as many frames as this one, with a threshold of the same rank, the lowest threshold first."""
    frames = len(calibration.scores)
    above = sum(score > threshold for score in calibration.scores)
    drawn = np.sort(correlated_scores(frames, count, together, rng), axis=0)
    thresholds = drawn[max(0, frames - 1 - above)]
    return [DrawnCalibration(drawn[:, i], float(thresholds[i])) for i in np.argsort(thresholds)]


def measured_correlation(calibration: CalibrationRecord) -> float:
    """Consecutive frames that are equivalent to one independent frame, at least 1, as the calibration measured them."""
    return max(1.0, len(calibration.scores) / max(calibration.effective_frames, 1.0))


def longest_correlation(calibration: CalibrationRecord) -> float:
    """Consecutive frames that may be equivalent to one independent frame, given how well so few frames tell it.

    The autocorrelation time of ``m`` effective frames is higher than it is measured by a factor of at most
    ``1 + 2.5 / sqrt(m)``, for nine calibrations of ten and more.
    """
    effective = max(calibration.effective_frames, 1.0)
    return measured_correlation(calibration) * (1 + _SPREAD_OF_LENGTH / math.sqrt(effective))
