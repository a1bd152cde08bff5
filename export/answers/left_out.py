# SPDX-License-Identifier: Apache-2.0
"""Leave out drives, and kinds of degradation with them, so that answers are judged on what they were not fitted on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.answers.rows import DegradedRows
from export.detectors.cross_fit import fold_numbers
from lsood_runtime.offline import NO_CAUSE

FOLDS = 8
"""Of drives alone: each fit is of nearly all frames, as that of the bundle. Of fewer frames the distances would be larger."""

FOLDS_WITH_KINDS = 4
"""Of drives where each kind is left out as well, which takes as many fits for each of the kinds."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """One split of the rows.

    Attributes:
        fitted: ``(N,)`` rows that fit.
        judged: ``(N,)`` rows that are judged.
        kind: of degradation that no fitted row has; None where drives alone are left out.
    """

    fitted: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    kind: str | None


def drive_folds(rows: DegradedRows, folds: int, seed: int) -> NDArray[np.int64]:
    """Fold ``(N,)`` of each row: whole drives, or contiguous blocks of frames where there is one drive alone.

    The calibration frames are dealt together, and the frames of each kind of a user's own for themselves: so every fold but
    the one that is left out has some of them.

    Args:
        rows: clean and degraded frames.
        folds: how many, at most.
        seed: of the deal.
    """
    group, fold = np.where(rows.own, rows.kind, ""), np.empty(len(rows), np.int64)
    for name in np.unique(group):
        own = group == name
        fold[own] = frame_folds(rows.frame[own], rows.drive[own], folds, seed)
    return fold


def frame_folds(frame: NDArray[np.int64], drive: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """Fold ``(N,)`` of each row, rows of one clean frame together: whole drives, or blocks of frames of a single one.

    Args:
        frame: ``(N,)`` index of each row's clean frame.
        drive: ``(N,)`` of that frame.
        folds: how many, at most.
        seed: of the deal.
    """
    frames, place = np.unique(frame, return_inverse=True)
    of_frame = np.empty(len(frames), drive.dtype)
    of_frame[place] = drive
    return fold_numbers(of_frame.tolist(), folds, seed)[place]


def left_out_drives(fold: NDArray[np.int64]) -> Iterator[LeftOut]:
    """Leave out each fold in turn."""
    for number in np.unique(fold):
        yield LeftOut(fold != number, fold == number, None)


def left_out_kinds(fold: NDArray[np.int64], kind: NDArray[np.str_]) -> Iterator[LeftOut]:
    """Leave out each fold together with each kind: the rows of the kind in the fold are judged by neither.

    Clean rows are judged where no kind is left out, once for each fold.
    """
    for number in np.unique(fold):
        others, own = fold != number, fold == number
        yield LeftOut(others, own & (kind == NO_CAUSE), None)
        for name in np.unique(kind[kind != NO_CAUSE]):
            yield LeftOut(others & (kind != name), own & (kind == name), str(name))
