# SPDX-License-Identifier: Apache-2.0
"""Split frames into two folds: each is scored by detectors that are fitted on the other."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from export.search.features import SearchFeatures

Fold = NDArray[np.int64]
"""Indices of frames, ascending."""

Shares = list[tuple[SearchFeatures, Fold]]
"""Shifts, each with the rows of it that count."""


def two_folds(drives: Sequence[str]) -> tuple[Fold, Fold]:
    """Split frames into two halves: whole drives, shared out from the largest on, or the two halves of a single drive."""
    names, sizes = np.unique(np.asarray(drives), return_counts=True)
    if len(names) == 1:
        first, second = np.array_split(np.arange(len(drives)), 2)
        return first, second
    halves: tuple[set[str], set[str]] = (set(), set())
    held = [0, 0]
    for i in np.argsort(-sizes, kind="stable"):
        smaller = int(np.argmin(held))
        halves[smaller].add(str(names[i]))
        held[smaller] += int(sizes[i])
    first, second = (np.flatnonzero([name in half for name in drives]) for half in halves)
    return first, second


def rows_in_fold(shift: SearchFeatures, fold: Fold) -> Fold:
    """Rows of a shift whose undegraded frame is in the fold; all rows of real out-of-distribution frames."""
    if shift.frames.kind is None:
        return np.arange(len(shift.frames.indices))
    return np.flatnonzero(np.isin(shift.frames.indices, fold))


def split_shifts(shifts: Sequence[SearchFeatures], fit: Fold, test: Fold) -> Iterator[tuple[Shares, Shares]]:
    """Yield the shifts that a detector which needs out-of-distribution frames is fitted on, and those it is tested on.

    Of several shifts it is fitted on every other one and tested on the rest; of a single one on half of the frames.
    """
    if len(shifts) == 1:
        (shift,) = shifts
        parts = np.array_split(np.arange(len(shift.frames.indices)), 2)
        for first, second in (parts, parts[::-1]):
            inside = (np.isin(part, rows_in_fold(shift, fold)) for part, fold in ((first, fit), (second, test)))
            fitted, tested = (part[kept] for part, kept in zip((first, second), inside, strict=True))
            yield [(shift, fitted)], [(shift, tested)]
        return
    for fitted_on, tested_on in ((shifts[::2], shifts[1::2]), (shifts[1::2], shifts[::2])):
        yield (
            [(shift, rows_in_fold(shift, fit)) for shift in fitted_on],
            [(shift, rows_in_fold(shift, test)) for shift in tested_on],
        )
