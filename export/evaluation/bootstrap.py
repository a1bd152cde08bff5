# SPDX-License-Identifier: Apache-2.0
"""Compute intervals for figures of video by the circular block bootstrap, which draws blocks of consecutive frames.

Intervals over many drives are in :mod:`export.evaluation.draws`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from export.calibration.autocorrelation import autocorrelation_time

CONFIDENCE = 0.95

_TIMES = 3
_INDEPENDENT = 1.2


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % percentile interval."""

    value: float
    low: float
    high: float


def interval(value: float, resampled: NDArray[np.float64]) -> Interval:
    """Interval of a figure over all frames: the percentiles of ``(R,)`` figures over resamples; NaN ones are left out."""
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return Interval(value, math.nan, math.nan)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(finite, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def resample_counts(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Count how often each frame of a video is drawn in each resample.

    Blocks begin anywhere, run on from the end to the beginning, and are three autocorrelation times of ``values`` long, or
    one frame where consecutive ones are independent. With fewer than fifty effective frames the
    intervals are too narrow: in simulations they cover 80 to 90 % where 95 % are nominal.

    Args:
        values: ``(n,)`` scores in the order of recording.
        resamples: R.
        rng: advanced by the draw.

    Returns:
        ``(R, n)`` float64; every row sums to n.
    """
    count = len(values)
    time = autocorrelation_time(values)
    block = min(count, math.ceil(_TIMES * time)) if time > _INDEPENDENT else 1
    starts = rng.integers(count, size=(resamples, math.ceil(count / block)))
    drawn = ((starts[..., None] + np.arange(block)) % count).reshape(resamples, -1)[:, :count]
    rows = np.arange(resamples)[:, None] * count
    counts = np.bincount((rows + drawn).ravel(), minlength=resamples * count)
    return counts.reshape(resamples, count).astype(np.float64)


def share_interval(hits: NDArray[np.bool_], scores: NDArray[np.float64]) -> Interval:
    """A share of frames with its exact binomial interval (Clopper and Pearson 1934), for the frames' effective number.

    Where no frame is hit, or every one, the bootstrap would give an interval of no width.

    Args:
        hits: ``(n,)`` in the order of recording.
        scores: ``(n,)`` of the same frames: their autocorrelation time gives the effective number of frames.
    """
    share = float(hits.mean())
    return binomial_interval(share, len(hits) / autocorrelation_time(scores))


def binomial_interval(share: float, worth: float) -> Interval:
    """A share with the interval of Clopper and Pearson (1934) for an effective number of frames, whole or not."""
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, share * worth, (1 - share) * worth + 1) if share > 0 else 0.0
    high = beta.ppf(1 - tail, share * worth + 1, (1 - share) * worth) if share < 1 else 1.0
    return Interval(share, float(low), float(high))
