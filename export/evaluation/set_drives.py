# SPDX-License-Identifier: Apache-2.0
"""The drives of the sets of an evaluation, of which one at a time is left out for intervals.

Frames of a drive resemble each other, so that many of them say less about a new drive than their number suggests. Intervals
from whole drives hold for new drives of the same kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.evaluation.interval import DriveCount, Interval, fewest, jackknife_interval, without_interval

Scores = NDArray[np.float64]

MOST_DRIVES = 200
"""Drives of a set that are left out one by one; more are joined to as many groups at random (Kott 2001)."""


@dataclass(frozen=True, eq=False)
class SetDrives:
    """The drive of each frame of a set.

    Attributes:
        units: ``(n,)`` int64, number of the drive, or of the group that it was joined to.
        sample: of the evaluation's sets, the one whose drives these are: a drive is the same one in sets of one sample.
    """

    units: NDArray[np.int64]
    sample: int = 0

    @classmethod
    def of_names(cls, drives: Sequence[str], rng: np.random.Generator, sample: int = 0) -> Self:
        """Number the drives; ``drives`` names that of each frame, ``rng`` deals very many of them into groups."""
        names, units = np.unique(np.asarray(drives), return_inverse=True)
        if len(names) > MOST_DRIVES:
            units = rng.permutation(np.arange(len(names)) % MOST_DRIVES)[units]
        return cls(units.astype(np.int64), sample)

    def take(self, places: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The same drives for some of the frames, or for what was made of them."""
        return replace(self, units=self.units[np.asarray(places)])

    def share(self, hits: NDArray[np.bool_]) -> Interval:
        """A share of the frames, with its interval; ``hits`` is ``(n,)``."""
        return figure_interval(
            [self], [[self]], lambda kept: kept[0] @ hits / kept[0].sum(axis=1), float(hits.mean()), len(hits)
        )


def figure_interval(
    sets: Sequence[SetDrives],
    sides: Sequence[Sequence[SetDrives]],
    figure: Callable[[Sequence[Scores]], Scores],
    value: float,
    frames: float,
    lowest: float = 0.0,
) -> Interval:
    """Compute the interval of one figure.

    Args:
        sets: that the figure is computed from.
        sides: sets by side, see :func:`count_sides`.
        figure: ``(R,)`` figures of frames that are kept, ``(R, n)`` of each set.
        value: over all frames.
        frames: number of frames, as for :func:`export.evaluation.interval.jackknife_interval`.
        lowest: value that the figure can have.
    """
    drives = count_sides(sides)
    if not drives.enough:
        return without_interval(value)
    left_out = LeftOutDrives.of_sets(sets)
    return jackknife_interval(value, figure(left_out.kept), left_out.samples, drives, frames, lowest)


@dataclass(frozen=True, eq=False)
class LeftOutDrives:
    """Frames of sets without one drive each.

    Attributes:
        samples: ``(R,)`` sample of the drive that is left out.
        kept: ``(R, n)`` of each set, 0 where a frame is of that drive, else 1.
    """

    samples: NDArray[np.int64]
    kept: Sequence[Scores]

    @classmethod
    def of_sets(cls, sets: Sequence[SetDrives]) -> Self:
        """Leave out each drive of the sets once, in all of them."""
        drives = sorted({(each.sample, int(unit)) for each in sets for unit in np.unique(each.units)})
        samples, units = np.array(drives, np.int64).T
        kept = [
            1.0 - ((samples[:, None] == each.sample) & (units[:, None] == each.units)).astype(np.float64)
            for each in sets
        ]
        return cls(samples, kept)


def count_sides(sides: Sequence[Sequence[SetDrives]]) -> DriveCount:
    """What the smallest of several sides tells, such as in-distribution and shifted frames; each sample of a side is one."""
    counted: list[DriveCount] = []
    for sets in sides:
        units: dict[int, list[NDArray[np.int64]]] = {}
        for each in sets:
            units.setdefault(each.sample, []).append(each.units)
        counted += [
            DriveCount.of_sizes(np.unique(np.concatenate(own), return_counts=True)[1]) for own in units.values()
        ]
    return fewest(counted)
