# SPDX-License-Identifier: Apache-2.0
"""Compute intervals for figures of frames, by leaving out one drive at a time (:mod:`export.evaluation.set_drives`).

A figure is taken for a share, and gets the interval of Clopper and Pearson (1934) for the number of independent frames that
its jackknife variance over drives shows. That number is lowered for the few drives that tell the variance (Korn and Graubard
1998; degrees of freedom after Satterthwaite 1946), and for drives of unequal sizes, since the longest ones of a sample tell
nothing of longer ones that were not drawn. It is lower for the end towards which few drives pull far, and higher for the
other (Hall 1992), since a sample mostly lacks such drives. The form and its constants were chosen in simulations, and judged
in others (docs/reference/promises.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from scipy.stats import t as student

Scores = NDArray[np.float64]

CONFIDENCE = 0.95
FEWEST_DRIVES = 10
"""Effective drives on each side, at least: fewer tell too little of how drives differ, and no interval is given."""

_WIDER = 0.3
"""How much wider an interval of very unequal drives is than one of equal ones, as a share."""

_SKEWER = 0.5
"""How much further one end is, and how much nearer the other, as a share for a skewness of 1 of the drives' pulls."""

_NORMAL_95 = 1.959963984540054
_FEWEST_DEGREES = 1.5


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; the ends are NaN where there are too few drives for one."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    def text(self, figure: str, ends: str, between: str = " to ") -> str:
        """The figure with its interval in brackets, or alone.

        Args:
            figure: format of the figure.
            ends: format of the ends.
            between: them.
        """
        alone = format(self.value, figure)
        return f"{alone} ({format(self.low, ends)}{between}{format(self.high, ends)})" if self.known else alone


def without_interval(value: float) -> Interval:
    """A figure alone."""
    return Interval(value, math.nan, math.nan)


@dataclass(frozen=True)
class DriveCount:
    """Drives that one side of a figure is computed from.

    Attributes:
        drives: how many.
        effective: number of drives of equal size that tell as much (Kish 1965).
    """

    drives: int
    effective: float

    @classmethod
    def of_sizes(cls, frames: NDArray[np.int64]) -> "DriveCount":
        """Count drives by their numbers of frames."""
        sizes = frames.astype(np.float64)
        return cls(len(frames), float(sizes.sum()) ** 2 / float(sizes @ sizes))

    @property
    def enough(self) -> bool:
        """Whether they tell enough of how drives differ."""
        return self.effective >= FEWEST_DRIVES - 1e-9


def fewest(sides: Sequence[DriveCount]) -> DriveCount:
    """What the smallest of several sides tells."""
    return DriveCount(min(side.drives for side in sides), min(side.effective for side in sides))


def jackknife_interval(
    value: float,
    left_out: Scores,
    samples: NDArray[np.int64],
    drives: DriveCount,
    frames: float,
    lowest: float = 0.0,
) -> Interval:
    """Compute the interval of a figure from its values without each drive.

    Args:
        value: over all frames.
        left_out: ``(R,)`` without one drive each.
        samples: ``(R,)`` number of the sample that the drive is of; drives of one sample were drawn together.
        drives: of the side that has the fewest.
        frames: number of frames, that of the independent ones at most; infinity for a mean of numbers between the lowest and
            the highest, which may vary less than a share.
        lowest: value that the figure can have; the highest is 1.

    Returns:
        Without ends where there are too few drives, or where a value is NaN.
    """
    if not drives.enough or math.isnan(value) or not np.isfinite(left_out).all():
        return without_interval(value)
    span = 1 - lowest
    share = (value - lowest) / span
    pulls = np.empty(len(left_out))
    for sample in np.unique(samples):
        own = left_out[samples == sample] / span
        pulls[samples == sample] = (own.mean() - own) * math.sqrt((len(own) - 1) / len(own))
    variance = float(pulls @ pulls)
    deciding, worth, skewness = float(drives.drives), float(drives.drives), 0.0
    if variance > 0:
        # Pulls of one normal distribution have a fourth moment of 3: fewer drives count where a few decide the figure.
        deciding = min(deciding, 3 * variance**2 / float((pulls**4).sum()))
        worth, skewness = share * (1 - share) / variance, float((pulls**3).sum()) / variance**1.5
    few = float(student.ppf((1 + CONFIDENCE) / 2, max(deciding - 1, _FEWEST_DEGREES))) / _NORMAL_95
    wider = few * (1 + _WIDER * (1 - drives.effective / drives.drives))
    worth = float(np.clip(worth, 1, frames)) / wider**2
    low, _ = binomial_interval(share, worth / (1 - _SKEWER * skewness) ** 2)
    _, high = binomial_interval(share, worth / (1 + _SKEWER * skewness) ** 2)
    return Interval(value, lowest + span * low, lowest + span * high)


def binomial_interval(share: float, worth: float) -> tuple[float, float]:
    """Clopper and Pearson's interval (1934) of a share, for an effective number of frames, whole or not."""
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, share * worth, (1 - share) * worth + 1) if share > 0 else 0.0
    high = beta.ppf(1 - tail, share * worth + 1, (1 - share) * worth) if share < 1 else 1.0
    return float(low), float(high)
