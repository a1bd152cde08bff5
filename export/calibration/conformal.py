# SPDX-License-Identifier: Apache-2.0
"""Thresholds with a guaranteed false-alarm rate, from the scores of held-out frames (docs/concepts/thresholds.md).

Frames: the ``ceil((n + 1) (1 - rate))``-th smallest of n scores; a new frame, exchangeable with these, exceeds it with
probability at most ``rate`` (split-conformal prediction, Vovk et al. 2005). Drives: the smallest score t with
``(1 + sum_g share_g(score > t)) / (G + 1) <= rate``; a frame of a new drive, exchangeable with these G drives, exceeds it
with probability at most ``rate`` (Dunn, Wasserman and Ramdas 2022; Lee, Barber and Willett 2023).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from export.calibration.autocorrelation import effective_frames
from export.calibration.operating_points import is_rate
from export.errors import CalibrationError
from export.frames.drives import BLOCKS, HELD_OUT_BLOCKS
from lsood_runtime.offline import OperatingPoint

Scores = NDArray[np.float64]


def _check_rate(false_alarm_rate: float) -> None:
    if not is_rate(false_alarm_rate):
        raise CalibrationError(
            f"expected a false-alarm rate above 0 and below 1, got {false_alarm_rate}: 0.05 is one frame in twenty"
        )


def conformal_threshold(scores: Scores, false_alarm_rate: float) -> float:
    """Find the smallest held-out score that at most ``false_alarm_rate`` of exchangeable new frames exceed.

    Raises:
        CalibrationError: the rate is not in (0, 1), or too small for n: the message says how many scores it needs.
    """
    _check_rate(false_alarm_rate)
    rank = _rank(len(scores), false_alarm_rate)
    return float(np.sort(scores)[rank - 1])


def _rank(count: int, rate: float) -> int:
    # A rate such as 0.05 is not exact in binary: without the rounding 19 scores would be one too few for it.
    rank = math.ceil(round((count + 1) * (1 - rate), 9))
    if rank > count:
        needed = math.ceil(round(1 / rate, 9)) - 1
        raise CalibrationError(
            f"expected at least {needed} held-out frames for a false-alarm rate of {rate:g}, got {count}: calibrate with "
            f"about {needed * BLOCKS // len(HELD_OUT_BLOCKS) + BLOCKS} frames, or ask for a higher rate"
        )
    return rank


def new_drive_rate(scores: Scores, drives: Sequence[str], threshold: float) -> float | None:
    """Compute the rate that a threshold guarantees for frames of a new drive; None from a single drive."""
    return None if len(set(drives)) < 2 else _rate_over_drives(scores, drives, threshold)


def _rate_over_drives(scores: Scores, drives: Sequence[str], threshold: float) -> float:
    names = np.asarray(drives)
    distinct = np.unique(names)
    above = sum(float((scores[names == name] > threshold).mean()) for name in distinct)
    return (1 + above) / (len(distinct) + 1)


def drive_threshold(scores: Scores, drives: Sequence[str], false_alarm_rate: float) -> float:
    """Find the smallest held-out score that at most ``false_alarm_rate`` of the frames of exchangeable new drives exceed.

    Raises:
        CalibrationError: the rate is not in (0, 1), or there are too few drives for it: the message says how many it needs.
    """
    _check_rate(false_alarm_rate)
    count = len(set(drives))
    needed = math.ceil(round(1 / false_alarm_rate, 9)) - 1
    if count < max(needed, 2):
        raise CalibrationError(
            f"expected at least {max(needed, 2)} held-out drives to guarantee {false_alarm_rate:g} for new drives, got "
            f"{count}: add drives and tell them apart by --group-by, ask for a higher rate, or for --guarantee frames"
        )
    candidates = np.unique(scores)
    low, high = 0, len(candidates) - 1  # the guaranteed rate falls as the threshold rises
    while low < high:
        middle = (low + high) // 2
        rate = _rate_over_drives(scores, drives, candidates[middle])
        low, high = (low, middle) if rate <= false_alarm_rate + 1e-12 else (middle + 1, high)
    return float(candidates[low])


def set_threshold(
    scores: Scores,
    drives: Sequence[str],
    false_alarm_rate: float,
    *,
    guarantee: str = "frames",
    confidence: float = 0.95,
) -> OperatingPoint:
    """Set an operating point from held-out scores.

    The interval of the rate over frames of the known drives is that of the order statistic: given the threshold, the rate is
    distributed as ``Beta(n + 1 - r, r)`` for the r-th of n independent scores, with both scaled by the effective number of
    frames in place of n.

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.
        false_alarm_rate: target.
        guarantee: ``frames`` or ``drives``.
        confidence: of the interval.

    Raises:
        CalibrationError: a rate outside (0, 1), too few frames or drives for it, or scores that are not finite.
    """
    _check_rate(false_alarm_rate)
    if not np.isfinite(scores).all():
        raise CalibrationError(
            "expected finite scores of the held-out frames, got NaN or infinity: look at these frames"
        )
    if guarantee == "drives":
        _rank(max(len(scores), 1), max(false_alarm_rate, 1 / (len(scores) + 1)))
        value, rule = drive_threshold(scores, drives, false_alarm_rate), "hierarchical conformal over drives"
    else:
        value, rule = conformal_threshold(scores, false_alarm_rate), "split-conformal order statistic over frames"
    count = len(scores)
    at_most = int((scores <= value).sum())
    independent = effective_frames(scores, drives) / count
    tail = (1 - confidence) / 2
    low, high = beta.ppf([tail, 1 - tail], (count + 1 - at_most) * independent, at_most * independent)
    return OperatingPoint(
        value=value,
        false_alarm_rate=false_alarm_rate,
        guarantee=guarantee,
        rate_low=float(low),
        rate_high=float(high),
        confidence=confidence,
        new_drive_rate=new_drive_rate(scores, drives, value),
        rule=rule,
    )


def p_values(calibration_scores: Scores, scores: Scores) -> Scores:
    """Compute ``(1 + #{calibration scores at least as high}) / (n + 1)`` for each score, in (0, 1]."""
    ordered = np.sort(calibration_scores)
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    result: Scores = (1 + at_least) / (len(ordered) + 1)
    return result


def drive_warning(scores: Scores, drives: Sequence[str], false_alarm_rate: float) -> str | None:
    """Warn where the threshold of one held-out drive does not hold on another; None where it holds on all.

    Chance allows the target rate and three standard deviations of a difference of two shares, by effective numbers.

    Raises:
        CalibrationError: the rate is not in (0, 1).
    """
    _check_rate(false_alarm_rate)
    names = np.asarray(drives)
    worst: tuple[float, str, str] | None = None
    for a in np.unique(names):
        own = scores[names == a]
        if math.ceil(round((len(own) + 1) * (1 - false_alarm_rate), 9)) > len(own):
            continue
        threshold = conformal_threshold(own, false_alarm_rate)
        for b in np.unique(names[names != a]):
            other = scores[names == b]
            share = float((other > threshold).mean())
            inverse = sum(1 / effective_frames(part, [""] * len(part)) for part in (own, other))
            chance = false_alarm_rate + 3 * math.sqrt(false_alarm_rate * (1 - false_alarm_rate) * inverse)
            if share > chance and (worst is None or share > worst[0]):
                worst = (share, str(a), str(b))
    if worst is None:
        return None
    share, a, b = worst
    return (
        f"a threshold of drive {a} for {false_alarm_rate:.0%} false alarms flags {share:.0%} of drive {b}: drives differ, "
        "so rely on the rate for new drives, and calibrate on more of them"
    )
