# SPDX-License-Identifier: Apache-2.0
"""What the margin for few frames or drives costs, and how many more would make it small."""

import math

import numpy as np
from numpy.typing import NDArray

from export.calibration.conformal import Weights, allowed_share, find_threshold, quantile

Scores = NDArray[np.float64]
WORTH_SAYING, SMALL = 0.2, 0.1
"""Shares of the allowance that the margin takes: above the first one more data are asked for, down to the second."""


def margin(units: int, false_alarm_rate: float) -> float:
    """The share of the allowed false alarms that the margin for m units takes: ``(1 - rate) / (m rate)``."""
    return (1 - false_alarm_rate) / (units * false_alarm_rate)


def units_for_margin(share: float, false_alarm_rate: float) -> int:
    """The number of units for which the margin takes at most this share of the allowed false alarms."""
    return math.ceil(round((1 - false_alarm_rate) / (share * false_alarm_rate), 9))


def margin_advice(
    scores: Scores, weights: Weights, false_alarm_rate: float, shifted: Scores | None = None
) -> str | None:
    """Ask for more data, in words and numbers, where the margin of a threshold takes much of the allowance; else None.

    Args:
        scores: ``(n,)`` that the threshold is set by.
        weights: of the frames, and the units.
        false_alarm_rate: target.
        shifted: scores of shifted frames, by which the cost is given in detections as well.

    Raises:
        CalibrationError: too few units for the rate.
    """
    taken, units = margin(weights.units, false_alarm_rate), weights.units
    if taken <= WORTH_SAYING:
        return None
    enough = units_for_margin(SMALL, false_alarm_rate)
    value, plain = find_threshold(scores, weights, false_alarm_rate), quantile(scores, weights, false_alarm_rate)
    later = quantile(scores, weights, allowed_share(enough, false_alarm_rate))
    low, high = np.quantile(scores, [0.25, 0.75])
    height = f" and stands {(value - plain) / (high - low):.1f} interquartile ranges higher" if high > low else ""
    cost = ""
    if shifted is not None:
        now, then, best = (float((shifted > threshold).mean()) for threshold in (value, later, plain))
        cost = f", which costs {best - now:.0%} of the shifted frames ({now:.0%} flagged in place of {best:.0%})"
        more = f"it would be {SMALL:.0%}, and {then:.0%} of the shifted frames would be flagged"
    else:
        more = f"it would be {SMALL:.0%}"
    left = f"{allowed_share(units, false_alarm_rate):.1%} of the {false_alarm_rate:.1%}"
    return (
        f"{units} {weights.unit} leave the threshold {left} false alarms that are asked for: the margin for few "
        f"{weights.unit} takes {taken:.0%} of them{height}{cost}; with {enough - units} {weights.unit} more {more}"
    )
