# SPDX-License-Identifier: Apache-2.0
"""Thresholds for a target false-alarm rate, from scores of frames that the scoring detector was not fitted on.

One rule: ``p(t)`` is the weighted share of the scores above t, m the number of units that are exchangeable with a new one;
the threshold is the smallest score with ``(1 + m p(t)) / (m + 1) <= rate``. The 1 is a new unit that lies above t as a whole.
With frames as units it is the order statistic of split-conformal prediction (Vovk et al. 2005), with drives of equal weight
as units that of hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2022; Lee, Barber and Willett 2023).
docs/concepts/thresholds.md says which bound is proven in which case.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.calibration.operating_points import is_rate
from export.calibration.proven_bounds import new_drive_bound, proven_bound
from export.calibration.rate_intervals import known_drives_interval, new_drives_interval
from export.detectors.weighted_quantile import Scores, Weights, allowed_share, quantile, weigh_frames
from export.errors import CalibrationError
from lsood_runtime.offline import OperatingPoint


def check_rate(false_alarm_rate: float) -> None:
    """Refuse a number that is not a false-alarm rate.

    Raises:
        CalibrationError: it is not in (0, 1).
    """
    if not is_rate(false_alarm_rate):
        raise CalibrationError(
            f"expected a false-alarm rate above 0 and below 1, got {false_alarm_rate}: 0.05 is one frame in twenty"
        )


def _check_units(weights: Weights, rate: float) -> None:
    needed = math.ceil(round(1 / rate, 9)) - 1
    if weights.unit == "drives" and weights.units < max(needed, 2):
        needed = max(needed, 2)
        raise CalibrationError(
            f"expected at least {needed} drives to guarantee {rate:g} for new drives, got {weights.units}: add "
            f"{needed - weights.units} and tell them apart by --group-by, ask for a higher rate, or for --guarantee frames"
        )
    if weights.units < max(needed, 1):
        raise CalibrationError(
            f"expected at least {max(needed, 1)} frames to set a threshold for a false-alarm rate of {rate:g}, got "
            f"{weights.units}: add {max(needed, 1) - weights.units}, or ask for a higher rate"
        )


def find_threshold(scores: Scores, weights: Weights, false_alarm_rate: float) -> float:
    """Find the smallest score with ``(1 + m p(t)) / (m + 1) <= rate``.

    Raises:
        CalibrationError: the rate is not in (0, 1), or too small for so few units: the message says how many it needs.
    """
    check_rate(false_alarm_rate)
    _check_units(weights, false_alarm_rate)
    return quantile(scores, weights, allowed_share(weights.units, false_alarm_rate))


def conformal_threshold(scores: Scores, false_alarm_rate: float) -> float:
    """Find the smallest score that at most ``false_alarm_rate`` of exchangeable new frames exceed.

    Raises:
        CalibrationError: the rate is not in (0, 1), or too small for n: the message says how many scores it needs.
    """
    return find_threshold(scores, weigh_frames([""] * len(scores), "frames", "frames"), false_alarm_rate)


def drive_threshold(scores: Scores, drives: Sequence[str], false_alarm_rate: float) -> float:
    """Find the smallest score that at most ``false_alarm_rate`` of the frames of exchangeable new drives exceed.

    Raises:
        CalibrationError: the rate is not in (0, 1), or there are too few drives for it: the message says how many it needs.
    """
    return find_threshold(scores, weigh_frames(drives, "drives", "drives"), false_alarm_rate)


def new_drive_rate(scores: Scores, drives: Sequence[str], threshold: float, folds: int = 0) -> float | None:
    """Compute the bound of a threshold's rate for a frame of a new drive, every drive weighed alike; None from one drive.

    Args:
        scores: ``(n,)`` of frames that the scoring detector was not fitted on.
        drives: ``(n,)`` names.
        threshold: any.
        folds: of a cross-fit, whose bound is that of the detectors of the folds; 0 for a detector that no frame fitted.
    """
    weights = weigh_frames(drives, "drives", "drives")
    if weights.drives < 2:
        return None
    return new_drive_bound(weights.above(scores, threshold), weights.drives, folds)


def set_threshold(
    scores: Scores,
    drives: Sequence[str],
    false_alarm_rate: float,
    *,
    guarantee: str = "frames",
    weigh: str = "frames",
    folds: int = 0,
    confidence: float = 0.95,
    still: NDArray[np.bool_] | None = None,
) -> OperatingPoint:
    """Set an operating point from scores of frames that the scoring detector was not fitted on.

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.
        false_alarm_rate: target.
        guarantee: ``frames`` or ``drives``: what is exchangeable with a new one.
        weigh: ``frames`` or ``drives``: what counts the same in a rate.
        folds: of the cross-fit that gave the scores; 0 where one detector did that none of the frames fitted.
        confidence: of the intervals.
        still: as for :func:`~export.calibration.autocorrelation.effective_frames`.

    Raises:
        CalibrationError: a rate outside (0, 1), too few frames or drives for it, or scores that are not finite.
    """
    check_rate(false_alarm_rate)
    if not np.isfinite(scores).all():
        raise CalibrationError(
            "expected finite scores of the calibration frames, got NaN or infinity: look at these frames"
        )
    weights = weigh_frames(drives, guarantee, weigh)
    value = find_threshold(scores, weights, false_alarm_rate)
    low, high = known_drives_interval(scores, drives, weights.frame, value, confidence, still)
    new = new_drives_interval(scores, weights.drive, weights.frame, value, confidence) if weights.drives > 1 else None
    rule = (
        "split-conformal order statistic over frames" if guarantee == "frames" else "hierarchical conformal over drives"
    )
    return OperatingPoint(
        value=value,
        false_alarm_rate=false_alarm_rate,
        guarantee=guarantee,
        rate_low=low,
        rate_high=high,
        confidence=confidence,
        new_drive_rate=new_drive_rate(scores, drives, value, folds),
        rule=rule + (f", cross-fit over {folds} folds" if folds else "") + f", {weigh} weighed alike",
        weigh=weigh,
        folds=folds,
        proven_rate=proven_bound(weights.units, weights.heaviest, false_alarm_rate, folds, guarantee),
        new_drives_expected=new.expected if new else None,
        new_drives_low=new.low if new else None,
        new_drives_high=new.high if new else None,
    )


def p_values(calibration_scores: Scores, scores: Scores) -> Scores:
    """Compute ``(1 + #{calibration scores at least as high}) / (n + 1)`` for each score, in (0, 1]."""
    ordered = np.sort(calibration_scores)
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    result: Scores = (1 + at_least) / (len(ordered) + 1)
    return result
