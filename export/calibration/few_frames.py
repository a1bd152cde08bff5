# SPDX-License-Identifier: Apache-2.0
"""Warn where frames repeat each other so much that a threshold does not hold its rate on average."""

import math

_EXCESS = 0.25
"""Times the rate of one independent frame: what the mean rate of thresholds of correlated frames lies above the target, at
most, in simulations of first-order autoregressions (docs/reference/promises.md)."""


def mean_rate(false_alarm_rate: float, independent: float) -> float:
    """Compute what the mean rate of thresholds is at most, over calibrations by frames of one video, on its further frames.

    Args:
        false_alarm_rate: target, which thresholds of independent frames hold on average.
        independent: frames that the frames of a calibration are worth.
    """
    return min(1.0, false_alarm_rate + _EXCESS / max(independent, 1.0))


def few_frames_warning(frames: int, independent: float, false_alarm_rate: float) -> str | None:
    """Warn where frames are worth fewer independent ones than a threshold takes; None where they are worth enough.

    Args:
        frames: that set the threshold.
        independent: frames that they are worth.
        false_alarm_rate: target.
    """
    needed = math.ceil(round(1 / false_alarm_rate, 9)) - 1
    if independent >= needed:
        return None
    return (
        f"{frames} frames are worth {independent:.0f} independent ones, and {needed} are the fewest that hold "
        f"{false_alarm_rate:g} on average: expect up to {mean_rate(false_alarm_rate, independent):.1%} false alarms, and see "
        "its interval"
    )
