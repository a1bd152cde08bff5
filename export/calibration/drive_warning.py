# SPDX-License-Identifier: Apache-2.0
"""Warn where drives differ so much that a threshold of one does not hold on another."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.calibration.autocorrelation import effective_frames
from export.calibration.conformal import check_rate, conformal_threshold

Scores = NDArray[np.float64]


def drive_warning(scores: Scores, drives: Sequence[str], false_alarm_rate: float) -> str | None:
    """Warn where the threshold of one drive does not hold on another; None where it holds on all.

    Chance allows the target rate and three standard deviations of a difference of two shares, by effective numbers.

    Raises:
        CalibrationError: the rate is not in (0, 1).
    """
    check_rate(false_alarm_rate)
    names = np.asarray(drives)
    parts = {str(name): scores[names == name] for name in np.unique(names)}
    inverses = {name: 1 / effective_frames(part, [""] * len(part)) for name, part in parts.items()}
    enough = math.ceil(round(1 / false_alarm_rate, 9)) - 1
    worst: tuple[float, str, str] | None = None
    for a, own in parts.items():
        if len(own) < max(enough, 1):
            continue
        threshold = conformal_threshold(own, false_alarm_rate)
        for b, other in parts.items():
            share = float((other > threshold).mean())
            inverse = inverses[a] + inverses[b]
            chance = false_alarm_rate + 3 * math.sqrt(false_alarm_rate * (1 - false_alarm_rate) * inverse)
            if a != b and share > chance and (worst is None or share > worst[0]):
                worst = (share, a, b)
    if worst is None:
        return None
    share, a, b = worst
    return (
        f"a threshold of drive {a} for {false_alarm_rate:.0%} false alarms flags {share:.0%} of drive {b}: drives differ, "
        "so rely on the rate for new drives, and calibrate on more of them"
    )
