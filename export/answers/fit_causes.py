# SPDX-License-Identifier: Apache-2.0
"""Calibrate cause, severity and novelty on frames whose drives were left out of the fit, and judge them there.

Causes are told of the features that tell them best, which may be few. How far a frame is from everything seen is told of them
and of all features together, by whichever is further: what looks like a cause in a few features may look like none in others.
Both distances are in a unit that the same share of frames left out exceeds. A cause is probable only where the picture is
typical of it, within a distance that the same share of the frames of each kind keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from export.answers.cells import FittedCells, KindAtSeverity, fit_cells
from export.answers.columns import Rows
from export.answers.left_out import left_out_drives
from export.answers.rows import DegradedRows
from export.answers.typicality import NO_LIMIT, FittedTypicality, fit_typicality, typical
from lsood_runtime.offline import CauseRecord

COVERAGE = 0.95
"""Share of the frames of known kinds whose set of causes is to hold the true one, of those nearer than the limit."""

KNOWN = 0.99
"""Share of the frames left out that the limit of novelty calls known."""

TYPICAL = 0.995
"""Share of the frames left out of each kind that keep its limit: all of them, of fewer than 399."""

CLEAN_KEPT = 0.98
"""Share of the clean frames left out to which ``none`` is to be the most probable cause."""

SIZE_PRIOR = 10
"""Frames of usual distance that are added to those of a cell before its size is taken."""

_MOST_SET_THRESHOLD = 0.5
"""One cause of such a probability is always told."""

_LEAST_SET_THRESHOLD = 1.25
"""In units of the probability that each cause has where nothing is known: a cause of this one is never told.

Of few causes that are hard to tell apart the set then holds the true one for fewer frames, and the record says for how many.
"""

_LEAST_SHARE = 1e-12
_HOTTEST = 7.0
"""Logarithm of the highest temperature."""


Sizes = dict[KindAtSeverity, float]
"""Of cells."""


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
class JudgedCells:
    """What cells tell of frames whose drives were left out of their fit, with the temperature that suits them best.

    Attributes:
        temperature: of the highest likelihood of the causes.
        loss: mean of minus the logarithm of the probability of the true cause.
    """

    parts: list[_Judged]
    temperature: float
    loss: float


@dataclass(frozen=True, eq=False)
class CalibratedCauses:
    """Cells with temperature and prior, and what they reach on drives left out.

    Attributes:
        cells: fitted on all rows; they tell cause and severity, and of the novelty the part that their features see.
        far_cells: fitted on all rows, of all features; ``cells`` itself where causes are told of all of them.
        typicality: fitted on all rows; it takes the probability of causes that the picture is not typical of.
        sizes: of ``cells``.
        far_sizes: of ``far_cells``.
        novelty_limit: above which nothing is known.
        record: of the causes, for the manifest.
    """

    cells: FittedCells
    far_cells: FittedCells
    typicality: FittedTypicality
    sizes: Sizes
    far_sizes: Sizes
    novelty_limit: float
    record: CauseRecord


def judge_cells(rows: DegradedRows, columns: Rows, names: tuple[str, ...], fold: NDArray[np.int64]) -> JudgedCells:
    """Fit the cells without each fold of drives, then the temperature by the rows that were left out.

    Args:
        rows: clean and degraded frames.
        columns: ``(N, D)`` of them.
        names: of the causes, ``none`` first.
        fold: ``(N,)`` of the drives.
    """
    parts = []
    for split in left_out_drives(fold):
        cells = fit_cells(columns[split.fitted], rows.kind[split.fitted], rows.severity[split.fitted], names)
        parts.append(_Judged(cells, cells.distances(columns[split.judged]), np.flatnonzero(split.judged)))
    order = np.concatenate([part.rows for part in parts])
    truth = np.array([names.index(name) for name in rows.kind[order]])
    clean = rows.severity[order] == 0
    temperature = _temperature(parts, truth, clean)
    return JudgedCells(parts, temperature, _loss(parts, truth, clean, float(np.log(temperature))))


def fit_causes(
    rows: DegradedRows,
    columns: Rows,
    names: tuple[str, ...],
    judged: JudgedCells,
    far_columns: Rows,
    far: JudgedCells,
    picture: Rows,
) -> CalibratedCauses:
    """Fit the cells on all rows, and limits, sizes and set of causes by rows whose drives were left out.

    What the record tells of frames is of drives that were left out of these settings as well, in turn.

    Args:
        rows: clean and degraded frames.
        columns: ``(N, D)`` of them, of which cause and severity are told.
        names: of the causes, ``none`` first.
        judged: by :func:`judge_cells` of these columns.
        far_columns: ``(N, E)``, of all features.
        far: by :func:`judge_cells` of those, with the same folds; ``judged`` itself where they are the same columns.
        picture: ``(N, P)``, of which it is told whether a frame is typical of its cause.
    """
    pairs = [
        (part, further, _from_kinds(rows, picture, names, part.rows))
        for part, further in zip(judged.parts, far.parts, strict=True)
    ]
    settings = _settings(pairs, rows, names, judged.temperature)
    order = np.concatenate([part.rows for part in judged.parts])
    left_out = [
        _Told.of_part(pair, columns, judged.temperature, _settings(others, rows, names, judged.temperature))
        for pair, others in _each_without(pairs)
    ]
    cause, told_severity, known = (
        np.concatenate([getattr(told, name) for told in left_out]) for name in ("cause", "severity", "known")
    )
    truth = np.array([names.index(name) for name in rows.kind[order]])
    right = known & (cause == truth)
    true_severity, own = rows.severity[order], rows.own[order]
    record = CauseRecord(
        names,
        settings.coverage,
        settings.threshold,
        float(right[true_severity == 0].mean()),
        {
            str(level): float(right[true_severity == level].mean())
            for level in np.unique(true_severity[(truth > 0) & ~own])
        },
        float(np.abs(told_severity - np.maximum(true_severity, 0))[known & ~own].mean())
        if (known & ~own).any()
        else 5.0,
        {names[place]: float(right[truth == place].mean()) for place in np.unique(truth[own])},
    )
    cells = fit_cells(columns, rows.kind, rows.severity, names).with_prior(judged.temperature, settings.none)
    cells = far_cells = cells.with_sizes(settings.sizes)
    if far is not judged:
        far_cells = fit_cells(far_columns, rows.kind, rows.severity, names).with_sizes(settings.far_sizes)
    typicality = fit_typicality(picture, rows.kind, rows.severity, names)
    return CalibratedCauses(
        cells,
        far_cells,
        typicality.with_limits(settings.typical_limits, judged.temperature),
        settings.sizes,
        settings.far_sizes,
        settings.limit,
        record,
    )


def _from_kinds(rows: DegradedRows, picture: Rows, names: tuple[str, ...], left_out: NDArray[np.int64]) -> Rows:
    """Squared distances ``(n, 1 + K)`` of rows from the kinds, by a fit on all others."""
    fitted = np.ones(len(rows), bool)
    fitted[left_out] = False
    kinds = fit_typicality(picture[fitted], rows.kind[fitted], rows.severity[fitted], names)
    return kinds.distances(picture[left_out])


@dataclass(frozen=True, eq=False)
class _Settings:
    """What frames that were left out of the fits set: prior of the clean cell, sizes, limits, set of causes, its coverage."""

    none: float
    sizes: Sizes
    far_sizes: Sizes
    limit: float
    typical_limits: Rows
    threshold: float
    coverage: float


_Part = tuple[_Judged, _Judged, Rows]
"""Of the same frames: by the cells that tell the causes, by those of all features, and their distances from the kinds."""


def _settings(pairs: Sequence[_Part], rows: DegradedRows, names: tuple[str, ...], temperature: float) -> _Settings:
    parts, far, from_kinds = (list(column) for column in zip(*pairs, strict=True))
    order = np.concatenate([part.rows for part in parts])
    truth = np.array([names.index(name) for name in rows.kind[order]])
    none, sizes, far_sizes = (
        _none(parts, rows.severity[order] == 0, temperature),
        _sizes(parts, rows),
        _sizes(far, rows),
    )
    distances, place = np.concatenate(from_kinds), np.arange(len(truth))
    limits = _typical_limits(distances[place, truth], truth, len(names))
    shares = np.exp(np.concatenate([part.log_causes(temperature, none) for part in parts]))
    shares = typical(shares, distances, limits, temperature)
    near, further = (
        np.concatenate([part.cells.with_sizes(some).novelty_at(part.distances) for part in each])
        for each, some in ((parts, sizes), (far, far_sizes))
    )
    unit = _upper(near, KNOWN) / _upper(further, KNOWN)
    sizes = {cell: size * unit**2 for cell, size in sizes.items()}
    own = shares[place, truth]
    threshold = max(min(_lower(own, COVERAGE), _MOST_SET_THRESHOLD), _LEAST_SET_THRESHOLD / len(names))
    coverage = min(COVERAGE, max(int((own >= threshold).sum()), 1) / (len(own) + 1))
    limit = _upper(np.maximum(near / unit, further), KNOWN)
    return _Settings(none, sizes, far_sizes, limit, limits, threshold, coverage)


def _typical_limits(own: Rows, truth: NDArray[np.int64], causes: int) -> Rows:
    """Squared distance of each cause that nearly all frames of it keep; any of a cause that no frame is of."""
    limits = np.full(causes, NO_LIMIT)
    for place in np.unique(truth):
        limits[place] = _upper(own[truth == place], TYPICAL)
    return limits


def _each_without(pairs: Sequence[_Part]) -> list[tuple[_Part, list[_Part]]]:
    """Each part with the others: what the figures are of has set nothing that they depend on but the temperature."""
    return [(pair, [other for other in pairs if other is not pair]) for pair in pairs]


@dataclass(frozen=True, eq=False)
class _Told:
    """What is told of the frames of a part: number of the cause, severity, and whether they are known."""

    cause: NDArray[np.int64]
    severity: Rows
    known: NDArray[np.bool_]

    @classmethod
    def of_part(cls, pair: _Part, columns: Rows, temperature: float, settings: _Settings) -> Self:
        part, far, from_kinds = pair
        shares = np.exp(part.log_causes(temperature, settings.none))
        shares = typical(shares, from_kinds, settings.typical_limits, temperature)
        severity = part.cells.with_prior(temperature, settings.none).severities(columns[part.rows])
        novelty = np.maximum(
            part.cells.with_sizes(settings.sizes).novelty_at(part.distances),
            far.cells.with_sizes(settings.far_sizes).novelty_at(far.distances),
        )
        cause = shares.argmax(axis=1)
        known = (novelty <= settings.limit) & (shares.max(axis=1) >= settings.threshold)
        return cls(cause, np.where(cause == 0, 0.0, severity), known)


def _sizes(parts: Sequence[_Judged], rows: DegradedRows) -> Sizes:
    """Mean squared distance of the frames of each cell from it, in that of all frames; of few frames nearer to 1."""
    found: dict[KindAtSeverity, list[float]] = {}
    for part in parts:
        places = {cell: place for place, cell in enumerate(part.cells.cells)}
        for row, distances in zip(part.rows, part.distances, strict=True):
            cell = (str(rows.kind[row]), int(rows.severity[row]))
            if cell in places:
                found.setdefault(cell, []).append(float(distances[places[cell]]))
    usual = float(np.mean(np.concatenate(list(found.values()))))
    return {cell: (sum(own) / usual + SIZE_PRIOR) / (len(own) + SIZE_PRIOR) for cell, own in found.items()}


def _temperature(judged: list[_Judged], truth: NDArray[np.int64], clean: NDArray[np.bool_]) -> float:
    """Temperature of the highest likelihood of the causes, each with the prior that it needs.

    Without that prior the best temperature is lower, and frames of kinds that no fit has seen are surely called ``none``.
    """
    found = minimize_scalar(
        lambda log: _loss(judged, truth, clean, float(log)), bounds=(0.0, _HOTTEST), method="bounded"
    )
    return float(np.exp(found.x))


def _loss(judged: list[_Judged], truth: NDArray[np.int64], clean: NDArray[np.bool_], log_temperature: float) -> float:
    temperature = float(np.exp(log_temperature))
    none = _none(judged, clean, temperature)
    logs = np.concatenate([part.log_causes(temperature, none) for part in judged])
    return -float(logs[np.arange(len(truth)), truth].mean())


def _none(judged: Sequence[_Judged], clean: NDArray[np.bool_], temperature: float) -> float:
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
