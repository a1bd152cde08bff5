# SPDX-License-Identifier: Apache-2.0
"""Draw the frames of a set again and again for intervals: whole drives of many, blocks of consecutive frames of a single one.

Frames of a drive resemble each other, so that many of them say less about a new drive than their number suggests. Intervals
from whole drives hold for new drives of the same kind; those from blocks of frames hold for the one drive alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.evaluation.bootstrap import Interval, binomial_interval, resample_counts, share_interval

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """R resamples of the frames of a set.

    Attributes:
        units: ``(n,)`` int64, what each frame is drawn with: its drive, or itself.
        drawn: ``(R, U)``, how often each unit is drawn.
        whole_drives: whether the units are drives.
    """

    units: NDArray[np.int64]
    drawn: Scores
    whole_drives: bool

    @classmethod
    def of_drives(cls, drives: Sequence[str], resamples: int, rng: np.random.Generator) -> Self:
        """Draw as many drives as there are, with replacement; ``drives`` names that of each frame."""
        names, units = np.unique(np.asarray(drives), return_inverse=True)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
        return cls(units.astype(np.int64), drawn.astype(np.float64), True)

    @classmethod
    def of_blocks(cls, scores: Scores, resamples: int, rng: np.random.Generator) -> Self:
        """Draw blocks of consecutive frames, see :func:`~export.evaluation.bootstrap.resample_counts`."""
        return cls(np.arange(len(scores)), resample_counts(scores, resamples, rng), False)

    @classmethod
    def of_set(cls, drives: Sequence[str], scores: Scores, resamples: int, rng: np.random.Generator) -> Self:
        """Draw whole drives where there are several, else blocks of frames."""
        if len(set(drives)) > 1:
            return cls.of_drives(drives, resamples, rng)
        return cls.of_blocks(scores, resamples, rng)

    @property
    def counts(self) -> Scores:
        """How often each frame is drawn, ``(R, n)``; the sums differ between resamples where drives differ in size."""
        counts: Scores = self.drawn[:, self.units]
        return counts

    def take(self, places: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The same resamples for some of the frames, or for what was made of them."""
        return replace(self, units=self.units[np.asarray(places)])

    def share(self, hits: NDArray[np.bool_], scores: Scores) -> Interval:
        """A share of the frames with an exact interval for their effective number.

        Args:
            hits: ``(n,)``.
            scores: ``(n,)`` of the same frames, whose autocorrelation gives the effective number in a single drive.
        """
        if not self.whole_drives:
            return share_interval(hits, scores)
        counts = self.counts
        return resampled_share(
            float(hits.mean()), counts @ hits, counts.sum(axis=1), len(hits), len(np.unique(self.units))
        )


def resampled_share(share: float, hits: Scores, totals: Scores, frames: int, units: int) -> Interval:
    """A share with an exact interval for the effective number of frames that its resamples show (Korn and Graubard 1998).

    The variance v of the share p over the resamples makes the frames worth ``p (1 - p) / v`` independent ones; where it is 0,
    since no frame is hit or every one, each unit counts as one frame. In simulations of 25 to 150 drives the interval covers
    91 to 99 % where 95 % are nominal; the percentiles of the resamples cover 85 to 93 % where one frame in twenty is hit.

    Args:
        share: p, of all frames.
        hits: ``(R,)`` frames hit in each resample.
        totals: ``(R,)`` frames drawn in each resample; those without any are left out.
        frames: number of frames.
        units: number of drives, or what else was drawn.
    """
    some = totals > 0
    variance = float((hits[some] / totals[some]).var()) if some.any() else 0.0
    worth = share * (1 - share) / variance if variance > 0 else units
    return binomial_interval(share, float(np.clip(worth, 1, frames)))
