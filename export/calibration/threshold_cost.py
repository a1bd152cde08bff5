# SPDX-License-Identifier: Apache-2.0
"""What the margin for few frames or drives costs, and how many more would make it small."""

import math

import numpy as np
from numpy.typing import NDArray

from export.calibration.conformal import find_threshold
from export.detectors.weighted_quantile import Weights, allowed_share, quantile

Scores = NDArray[np.float64]
WORTH_SAYING, SMALL = 0.2, 0.1
"""Shares of the allowance that the margin takes: above the first one more data are asked for, down to the second."""


def margin(units: int, false_alarm_rate: float) -> float:
    """The share of the allowed false alarms that the margin for m units takes: ``(1 - rate) / (m rate)``."""
    return (1 - false_alarm_rate) / (units * false_alarm_rate)


def units_for_margin(share: float, false_alarm_rate: float) -> int:
    """The number of units for which the margin takes at most this share of the allowed false alarms."""
    return math.ceil(round((1 - false_alarm_rate) / (share * false_alarm_rate), 9))


def margin_advice(scores: Scores, weights: Weights, false_alarm_rate: float) -> str | None:
    """Ask for more data, in words and numbers, where the margin of a threshold takes much of the allowance; else None.

    What the margin costs in detections depends on the shifts that will occur. What can be said without them: the share of the
    asked false alarms that it takes, and how much higher than without it the threshold stands.

    Args:
        scores: ``(n,)`` that the threshold is set by.
        weights: of the frames, and the units.
        false_alarm_rate: target.

    Raises:
        CalibrationError: too few units for the rate.
    """
    taken, units = margin(weights.units, false_alarm_rate), weights.units
    if taken <= WORTH_SAYING:
        return None
    value, plain = find_threshold(scores, weights, false_alarm_rate), quantile(scores, weights, false_alarm_rate)
    low, high = np.quantile(scores, [0.25, 0.75])
    height = (
        f" and lifts the threshold by {(value - plain) / (high - low):.1f} interquartile ranges" if high > low else ""
    )
    more = units_for_margin(SMALL, false_alarm_rate) - units
    return (
        f"{units} {weights.unit} let the threshold spend {allowed_share(units, false_alarm_rate):.1%} of the "
        f"{false_alarm_rate:.1%} false alarms that are asked for: the margin for so few takes {taken:.0%} of them{height}; "
        f"with {more} {weights.unit} more it would take {SMALL:.0%}"
    )
