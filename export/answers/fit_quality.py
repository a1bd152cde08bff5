# SPDX-License-Identifier: Apache-2.0
"""Fit the expected quality, its interval by drives and kinds left out together, and judge both there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from export.answers.cells import KindAtSeverity, fit_cells
from export.answers.columns import Rows, StandardisedColumns
from export.answers.left_out import left_out_kinds
from export.answers.perceptron import fit_perceptron
from export.answers.quality import FittedQuality, conformal_factor, fit_reach, reach_of
from export.answers.rows import DegradedRows
from export.errors import CalibrationError
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import NO_CAUSE, QualityRecord

COVERAGE = 0.9
"""Share of all frames whose quality the interval is to hold; either end misses half of the rest."""

MISSED_OF_A_KIND = 0.07
"""Share of the frames of each kind, left out of the fit, that may lie beyond either end."""

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class JudgedQuality:
    """What is told of frames by models that were fitted without their drives and without their kind.

    Attributes:
        expected: ``(N,)``.
        novelty: ``(N,)``.
    """

    expected: Rows
    novelty: Rows


@dataclass(frozen=True, eq=False)
class QualityColumns:
    """Columns of which the quality may be told, and what is told of them on frames left out.

    Attributes:
        read: makes them of features.
        rows: ``(N, D)``.
        hidden: for each feature, whether the hidden layer reads it.
        expected: ``(N,)`` by models that have seen neither a row's drive nor its kind.
        offset: root mean square, over kinds left out and clean frames, of the mean error of each.
    """

    read: StandardisedColumns
    rows: Rows
    hidden: tuple[bool, ...]
    expected: Rows
    offset: float


def judge_columns(
    rows: DegradedRows, read: StandardisedColumns, fold: NDArray[np.int64], reporter: Reporter = SILENT
) -> QualityColumns:
    """Tell the quality of every row of these columns by models that have seen neither its drive nor its kind.

    Args:
        rows: clean and degraded frames, with their quality.
        read: makes the columns.
        fold: ``(N,)`` of the drives.
        reporter: told how many fits are done.
    """
    quality, columns = _quality_of(rows), read(rows.values)
    hidden = tuple(key.is_of_output for key in read.keys)
    expected, splits = np.full(len(rows), np.nan), list(left_out_kinds(fold, rows.kind))
    for split in reporter.progress(splits, "judging quality", len(splits)):
        if split.judged.any():
            model = fit_perceptron(columns[split.fitted], quality[split.fitted], read.widths, hidden)
            expected[split.judged] = model(columns[split.judged])
    offsets = [(expected - quality)[rows.kind == name].mean() for name in np.unique(rows.kind)]
    return QualityColumns(read, columns, hidden, expected, float(np.sqrt(np.mean(np.square(offsets)))))


def judge_novelty(
    rows: DegradedRows,
    cells: Sequence[tuple[Rows, Mapping[KindAtSeverity, float]]],
    names: tuple[str, ...],
    fold: NDArray[np.int64],
) -> Rows:
    """Novelty ``(N,)`` of every row by cells that have seen neither its drive nor its kind.

    Args:
        rows: clean and degraded frames.
        cells: columns ``(N, E)`` and sizes of the cells that tell it, by the one that is further.
        names: of the causes.
        fold: ``(N,)`` of the drives.
    """
    novelty = np.full(len(rows), np.nan)
    for split in left_out_kinds(fold, rows.kind):
        if not split.judged.any():
            continue
        kind, severity = rows.kind[split.fitted], rows.severity[split.fitted]
        novelty[split.judged] = np.max(
            [
                fit_cells(some[split.fitted], kind, severity, names).with_sizes(sizes).novelty(some[split.judged])
                for some, sizes in cells
            ],
            axis=0,
        )
    return novelty


def fit_quality(
    rows: DegradedRows,
    columns: Rows,
    widths: Sequence[int],
    hidden: Sequence[bool],
    judged: JudgedQuality,
    novelty_limit: float,
) -> tuple[FittedQuality, QualityRecord]:
    """Fit the quality on all rows, its interval on what was judged.

    Args:
        rows: clean and degraded frames, with their quality.
        columns: ``(N, D)``, of which the quality is told.
        widths: columns of each feature.
        hidden: for each feature, whether the hidden layer reads it.
        judged: what is told of the rows where their drives and kinds are left out.
        novelty_limit: above which nothing is known.

    Raises:
        CalibrationError: too few frames for the coverage.
    """
    truth = _quality_of(rows)
    told = (judged.expected, judged.novelty)
    miss, error = (1 - COVERAGE) / 2, truth - judged.expected
    try:
        below = fit_reach(-error, *told, rows.kind, miss, MISSED_OF_A_KIND)
        above = fit_reach(error, *told, rows.kind, miss, MISSED_OF_A_KIND)
    except ValueError as fault:
        raise CalibrationError(f"{fault}, to cover {COVERAGE:.0%}: calibrate on more") from fault
    fitted = FittedQuality(fit_perceptron(columns, truth, widths, hidden), below, above)
    lower, upper = reach_of(*told, below), reach_of(*told, above)
    held = (error >= -lower - _ROUNDING) & (error <= upper + _ROUNDING)
    width = np.minimum(judged.expected + upper, 1) - np.maximum(judged.expected - lower, 0)
    covered = {str(name): float(held[rows.kind == name].mean()) for name in np.unique(rows.kind)}
    worst = min(covered, key=lambda name: covered[name])
    clean = rows.kind == NO_CAUSE
    low = np.where(judged.novelty > novelty_limit, 0, np.clip(judged.expected - lower, 0, 1))[clean]
    order = np.argsort(low, kind="stable")
    drive = np.unique(rows.drive[clean], return_inverse=True)[1][order]
    varied = np.ptp(judged.expected) > 0 and np.ptp(truth) > 0
    record = QualityRecord(
        measure=str(rows.measure),
        coverage=COVERAGE,
        covered=float(held.mean()),
        worst_kind=worst,
        worst_kind_covered=covered[worst],
        median_width=float(np.median(width)),
        constant_width=float(np.diff(np.quantile(truth, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]))[0]),
        mean_absolute_error=float(np.abs(truth - judged.expected).mean()),
        constant_error=float(np.abs(truth - np.median(truth)).mean()),
        spearman=float(spearmanr(judged.expected, truth).statistic) if varied else None,
        at_most=_most(truth, (clean, ~clean, judged.novelty > novelty_limit)),
        clean_low=tuple(low[order].tolist()),
        clean_drives=tuple(drive.tolist()),
    )
    return fitted, record


def _most(truth: Rows, groups: Sequence[NDArray[np.bool_]]) -> float:
    """A bound that the quality of frames like those of any group is above at the rate of one end of the interval, at most.

    A frame far from everything seen may be harmless, so that the bound has to hold for clean frames as for degraded ones. It
    is 1, which says nothing, where a group is too small for the rate.
    """
    return min(max(conformal_factor(truth[group], (1 - COVERAGE) / 2) for group in groups), 1.0)


def _quality_of(rows: DegradedRows) -> Rows:
    if rows.quality is None:
        raise CalibrationError("expected frames with a segmentation to tell its quality, got none: leave quality out")
    return np.asarray(rows.quality, np.float64)
