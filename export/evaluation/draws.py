# SPDX-License-Identifier: Apache-2.0
"""Draw the drives of a set again and again for intervals.

Frames of a drive resemble each other, so that many of them say less about a new drive than their number suggests. Intervals
from whole drives hold for new drives of the same kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.evaluation.bootstrap import DriveCount, Interval, drawn_interval

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """R resamples of the drives of a set.

    Attributes:
        units: ``(n,)`` int64, index of the drive of each frame.
        drawn: ``(R, U)``, how often each drive is drawn.
    """

    units: NDArray[np.int64]
    drawn: Scores

    @classmethod
    def of_drives(cls, drives: Sequence[str], resamples: int, rng: np.random.Generator) -> Self:
        """Draw as many drives as there are, with replacement; ``drives`` names that of each frame."""
        names, units = np.unique(np.asarray(drives), return_inverse=True)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
        return cls(units.astype(np.int64), drawn.astype(np.float64))

    @property
    def counts(self) -> Scores:
        """How often each frame is drawn, ``(R, n)``; the sums differ between resamples where drives differ in size."""
        counts: Scores = self.drawn[:, self.units]
        return counts

    def take(self, places: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The same resamples for some of the frames, or for what was made of them."""
        return replace(self, units=self.units[np.asarray(places)])

    def share(self, hits: NDArray[np.bool_]) -> Interval:
        """A share of the frames, with its interval; ``hits`` is ``(n,)``."""
        counts = self.counts
        totals = counts.sum(axis=1)
        return drawn_interval(
            float(hits.mean()), counts[totals > 0] @ hits / totals[totals > 0], count_drives([self]), len(hits)
        )


def count_drives(draws: Sequence[Draws]) -> DriveCount:
    """Count the drives of one or several sets; sets that share their resamples are of the same drives."""
    units: dict[int, list[NDArray[np.int64]]] = {}
    for each in draws:
        units.setdefault(id(each.drawn), []).append(each.units)
    sizes = [np.unique(np.concatenate(own), return_counts=True)[1] for own in units.values()]
    return DriveCount.of_sizes(np.concatenate(sizes))


def fewer(one: DriveCount, other: DriveCount) -> DriveCount:
    """What the smaller one of two sides tells."""
    return DriveCount(min(one.drives, other.drives), min(one.degrees, other.degrees))
