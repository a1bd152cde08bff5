# SPDX-License-Identifier: Apache-2.0
"""Calibrate cause, severity and novelty on frames whose drives were left out of the fit, and judge them there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from export.answers.cells import FittedCells, fit_cells
from export.answers.columns import Rows
from export.answers.left_out import left_out_drives
from export.answers.rows import DegradedRows
from lsood_runtime.offline import CauseRecord

COVERAGE = 0.95
"""Share of the frames of known kinds whose set of causes holds the true one, and of those nearer than the limit."""

KNOWN = 0.975
"""Share of the frames left out that the limit of novelty calls known."""

CLEAN_KEPT = 0.98
"""Share of the clean frames left out to which ``none`` is to be the most probable cause."""

_MOST_SET_THRESHOLD = 0.5
"""One cause of such a probability is always told."""

_LEAST_SHARE = 1e-12
_HOTTEST = 7.0
"""Logarithm of the highest temperature."""


@dataclass(frozen=True, eq=False)
class _Judged:
    """Cells, and distances of frames that were left out of their fit."""

    cells: FittedCells
    distances: Rows
    rows: NDArray[np.int64]

    def log_causes(self, temperature: float, none: float) -> Rows:
        """Logarithms of the probabilities of the causes, ``(n, 1 + K)``."""
        cells = self.cells.with_prior(temperature, none)
        shares = np.exp(cells.log_shares(self.distances)) @ cells.causes_of_cells
        result: Rows = np.log(np.maximum(shares, _LEAST_SHARE))
        return result


@dataclass(frozen=True, eq=False)
class CalibratedCauses:
    """Cells with temperature and prior, and what they reach on drives left out.

    Attributes:
        cells: fitted on all rows.
        novelty_limit: above which nothing is known.
        record: of the causes, for the manifest.
    """

    cells: FittedCells
    novelty_limit: float
    record: CauseRecord


def fit_causes(rows: DegradedRows, columns: Rows, names: tuple[str, ...], fold: NDArray[np.int64]) -> CalibratedCauses:
    """Fit the cells, then temperature, prior, limit and set of causes by rows whose drives were left out.

    Args:
        rows: clean and degraded frames.
        columns: ``(N, D)`` of them.
        names: of the causes, ``none`` first.
        fold: ``(N,)`` of the drives.
    """
    judged = []
    for split in left_out_drives(fold):
        cells = fit_cells(columns[split.fitted], rows.kind[split.fitted], rows.severity[split.fitted], names)
        judged.append(_Judged(cells, cells.distances(columns[split.judged]), np.flatnonzero(split.judged)))
    order = np.concatenate([part.rows for part in judged])
    truth = np.array([names.index(name) for name in rows.kind[order]])
    clean = rows.severity[order] == 0
    temperature = _temperature(judged, truth, clean)
    none = _none(judged, clean, temperature)
    shares = np.exp(np.concatenate([part.log_causes(temperature, none) for part in judged]))
    severity = np.concatenate(
        [part.cells.with_prior(temperature, none).severities(columns[part.rows]) for part in judged]
    )
    novelty = np.concatenate([np.sqrt(part.distances.min(axis=1) / columns.shape[1]) for part in judged])
    limit = _upper(novelty, KNOWN)
    threshold = min(_lower(shares[np.arange(len(truth)), truth], COVERAGE), _MOST_SET_THRESHOLD)
    known = (novelty <= limit) & (shares.max(axis=1) >= threshold)
    right = known & (shares.argmax(axis=1) == truth)
    true_severity, own = rows.severity[order], rows.own[order]
    told = np.where(shares.argmax(axis=1) == 0, 0.0, severity)
    record = CauseRecord(
        names,
        COVERAGE,
        threshold,
        float(right[true_severity == 0].mean()),
        {
            str(level): float(right[true_severity == level].mean())
            for level in np.unique(true_severity[(truth > 0) & ~own])
        },
        float(np.abs(told - np.maximum(true_severity, 0))[known & ~own].mean()) if (known & ~own).any() else 5.0,
        {names[place]: float(right[truth == place].mean()) for place in np.unique(truth[own])},
    )
    cells = fit_cells(columns, rows.kind, rows.severity, names).with_prior(temperature, none)
    return CalibratedCauses(cells, limit, record)


def _temperature(judged: list[_Judged], truth: NDArray[np.int64], clean: NDArray[np.bool_]) -> float:
    """Temperature of the highest likelihood of the causes, each with the prior that it needs.

    Without that prior the best temperature is lower, and frames of kinds that no fit has seen are surely called ``none``.
    """

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        none = _none(judged, clean, temperature)
        logs = np.concatenate([part.log_causes(temperature, none) for part in judged])
        return -float(logs[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(0.0, _HOTTEST), method="bounded").x))


def _none(judged: list[_Judged], clean: NDArray[np.bool_], temperature: float) -> float:
    """What the logarithm of the clean cell's prior needs so that enough clean frames are called ``none``."""
    logs = np.concatenate([part.log_causes(temperature, 0.0) for part in judged])[clean]
    return max(_upper(logs[:, 1:].max(axis=1) - logs[:, 0], CLEAN_KEPT), 0.0)


def _upper(values: Rows, share: float) -> float:
    """Smallest value that at least this share of exchangeable new ones do not exceed; the largest of too few."""
    place = min(int(np.ceil((len(values) + 1) * share - 1e-9)), len(values))
    return float(np.sort(values)[place - 1])


def _lower(values: Rows, share: float) -> float:
    """Largest value that at least this share of exchangeable new ones reach."""
    return -_upper(-values, share)
