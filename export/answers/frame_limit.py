# SPDX-License-Identifier: Apache-2.0
"""Set a limit that at most a share of clean frames of new drives exceeds, every drive weighed alike.

It is the rule of the threshold of the monitor (:mod:`export.detectors.weighted_quantile`), for the score of a frame that is
its most abnormal tile or its clearest object. Where there are too few frames for the share that is wanted, the limit is the
largest score, and the share that holds is that of n + 1 exchangeable frames of which one alone may be the largest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.cross_fit import fold_numbers
from export.detectors.weighted_quantile import allowed_share, quantile, weigh_frames

_FOLDS_OF_ONE_DRIVE = 8
_ROUNDING = 1e-9


@dataclass(frozen=True)
class LimitRule:
    """What a limit that some frames set can promise.

    Attributes:
        rate: share of clean frames that may be above: the first of those that were wanted that there are enough drives or
            frames for; without any ``1 / (n + 1)`` for n frames.
        guarantee: ``drives`` where it holds for frames of a new drive, ``frames`` where there are too few drives for it.
        units: how many of these there are.
    """

    rate: float
    guarantee: str
    units: int

    @classmethod
    def of_drives(cls, drives: Sequence[str], rates: Sequence[float]) -> "LimitRule":
        """The rule of frames of these drives, ``(N,)``, for the first of the rates that can be promised."""
        for unit in ("drives", "frames"):
            units = weigh_frames(drives, unit, unit).units
            for rate in rates:
                if allowed_share(units, rate) >= -_ROUNDING and (unit == "frames" or units > 1):
                    return cls(rate, unit, units)
        return cls(1 / (len(drives) + 1), "frames", len(drives))


@dataclass(frozen=True)
class FrameLimit:
    """A limit of the scores of frames.

    Attributes:
        limit: the smallest that keeps to the rate.
        rule: what it promises.
        kept: share of the frames at or below a limit of the same rule that the other drives set; of a single drive, the other
            blocks of frames. Where the limit holds for drives, each of them weighs alike here too.
        frames: that set it.
        drives: of these.
    """

    limit: float
    rule: LimitRule
    kept: float
    frames: int
    drives: int


def frame_limit(
    scores: NDArray[np.float64], drives: Sequence[str], rates: Sequence[float], least: float = -math.inf
) -> FrameLimit:
    """Set the limit: for drives rather than for frames, and for the first of the rates that there are enough of them for.

    Args:
        scores: ``(N,)`` of clean frames that fitted nothing, two at least.
        drives: ``(N,)`` of these frames.
        rates: that are wanted, one at least, each rather than the next.
        least: the smallest limit.
    """
    rule, names = LimitRule.of_drives(drives, rates), np.asarray(drives)
    fold = fold_numbers(drives, max(len(set(drives)), _FOLDS_OF_ONE_DRIVE))
    weights, kept = weigh_frames(drives, rule.guarantee, rule.guarantee).frame, 0.0
    for number in np.unique(fold):
        own, others = fold == number, fold != number
        below = scores[own] <= max(_limit(scores[others], names[others].tolist(), rule), least)
        kept += float(weights[own][below].sum())
    limit = max(_limit(scores, drives, rule), least)
    return FrameLimit(limit, rule, min(kept, 1.0), len(scores), len(set(drives)))


def fewest_units(rate: float) -> int:
    """Drives or frames that promise a rate, at least: 19 for 5 %."""
    return math.ceil((1 - rate) / rate - _ROUNDING)


def _limit(scores: NDArray[np.float64], drives: Sequence[str], rule: LimitRule) -> float:
    """The smallest score that keeps to the rate of a rule; the largest one where these are too few for it."""
    weights = weigh_frames(drives, rule.guarantee, rule.guarantee)
    return quantile(scores, weights, max(allowed_share(weights.units, rule.rate), 0.0))
