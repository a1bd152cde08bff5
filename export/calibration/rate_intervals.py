# SPDX-License-Identifier: Apache-2.0
"""Intervals of the false-alarm rate that a threshold has, over frames of known drives and over frames of new ones.

The rate of an order statistic of n independent scores is Beta-distributed. Correlated frames count for fewer: the parameters
are those of the effective number of frames, which for new drives comes from the spread between drives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from scipy.stats import t as student

from export.calibration.autocorrelation import effective_frames

Scores = NDArray[np.float64]
_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Quantiles of the scores at which the spread between drives is measured: few frames lie above the threshold itself."""


@dataclass(frozen=True)
class ExpectedRate:
    """The rate expected on frames of new drives.

    Attributes:
        expected: the weighted share of the scores above the threshold.
        low: lower end of the interval.
        high: upper end.
    """

    expected: float
    low: float
    high: float


def known_drives_interval(
    scores: Scores,
    drives: Sequence[str],
    weight: NDArray[np.float64],
    threshold: float,
    confidence: float,
    still: NDArray[np.bool_] | None = None,
) -> tuple[float, float]:
    """Compute the interval of a threshold's rate over further frames of the same drives.

    Given the threshold, the rate is distributed as ``Beta(n + 1 - r, r)`` for the r-th of n independent scores, with both
    scaled by the effective number of frames in place of n: autocorrelation and unequal weights lower it, and so does the
    quantile of Student's distribution, since few independent frames tell little of their own number: they have two degrees
    of freedom fewer, for the mean and the correlation.

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.
        weight: ``(n,)`` of the frames, summing to 1.
        threshold: any.
        confidence: of the interval.
        still: as for :func:`~export.calibration.autocorrelation.effective_frames`.
    """
    worth = effective_frames(scores, drives, still)
    few = student.ppf((1 + confidence) / 2, [max(len(scores) - 1, 1), max(worth - 2, 1.0)])
    independent = worth / len(scores) / float(weight @ weight) * float((few[0] / few[1]) ** 2)
    return _beta_interval(float(weight[scores > threshold].sum()), len(scores), independent, confidence)


def new_drives_interval(
    scores: Scores, drive: NDArray[np.int64], weight: NDArray[np.float64], threshold: float, confidence: float
) -> ExpectedRate:
    """Compute the rate of a threshold that is expected over frames of new drives, with its interval.

    The drives are what is drawn at random. The effective number of frames is the one whose binomial variance equals the
    variance of the rate between drives, summed over several levels of the scores; it is lowered by the quantile of Student's
    distribution, for G drives tell a variance with G - 1 degrees of freedom (Korn and Graubard 1998), and with fewer where a
    few of them weigh most: ``k^2 / G - 1`` with Kish's effective number of drives k. The upper end is that of Clopper and
    Pearson: above the highest scores of a few drives lies more than their frames show.

    Args:
        scores: ``(n,)``.
        drive: ``(n,)`` index of the drive of each frame, at least two.
        weight: ``(n,)`` of the frames, summing to 1.
        threshold: any.
        confidence: of the interval.
    """
    count, drives = len(scores), int(drive.max()) + 1
    of_drive = np.bincount(drive, weight)
    binomial = between = 0.0
    for level in np.quantile(scores, _LEVELS):
        share = np.bincount(drive, weight * (scores > level)) / of_drive
        mean = float(of_drive @ share)
        binomial += mean * (1 - mean)
        between += float(of_drive**2 @ (share - mean) ** 2) * drives / (drives - 1)
    kish = 1 / float(weight @ weight)
    independent = min(binomial / between, kish) if between > 0 else kish
    tail = (1 + confidence) / 2
    degrees = max(1 / float(of_drive @ of_drive) ** 2 / drives - 1, 1.0)
    independent *= float((student.ppf(tail, max(count - 1, 1)) / student.ppf(tail, degrees)) ** 2)
    above = float(weight[scores > threshold].sum())
    low, _ = _beta_interval(above, count, independent, confidence)
    high = float(beta.ppf(tail, above * independent + 1, (1 - above) * independent))
    return ExpectedRate(above, low, high)


def _beta_interval(above: float, count: int, independent: float, confidence: float) -> tuple[float, float]:
    mean = (above * count + 1) / (count + 1)
    size, tail = independent * (count + 1) / count, (1 - confidence) / 2
    low, high = beta.ppf([tail, 1 - tail], mean * size, (1 - mean) * size)
    return float(low), float(high)
