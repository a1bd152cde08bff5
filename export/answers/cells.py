# SPDX-License-Identifier: Apache-2.0
"""Cause, severity and novelty of frames, from one Gaussian for each kind of degradation at each severity.

A *cell* is a kind at a severity; the clean frames are a cell of their own. All cells share one covariance, that of the frames
around the mean of their cell (linear discriminant analysis). It has r leading directions and one variance for the rest
(probabilistic principal components; Tipping and Bishop 1999), so that few frames determine it, and a frame costs
``D (r + C)`` products.

With the squared Mahalanobis distance ``d_c`` to each cell, the probability of a cell is proportional to
``prior_c exp(-d_c / 2 T)``. The temperature T makes up for columns that say the same (Guo et al. 2017). The probability of a
cause is the sum over its severities, the severity the mean over all cells, the novelty ``sqrt(min_c d_c / (D s_c))``: about 1
for frames like those of the fit. The size ``s_c`` of a cell makes up for what one covariance leaves out: frames with dead
lines lie further from their mean than clean ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import logsumexp

from export.answers.columns import Rows
from export.answers.rows import UNKNOWN_SEVERITY
from lsood_runtime.offline import LARGEST_SEVERITY

Numbers = NDArray[np.int64]
KindAtSeverity = tuple[str, int]
"""A kind and a severity."""

DIRECTIONS = 192
"""r, at most."""

_MIDDLE_SEVERITY = 3.0
"""Of a cell of unknown severity in the mean over all cells; it is told of no frame whose cause is that cell's."""

_LEAST_SPREAD = 1e-6
_LEAST_NOISE = 1e-3
"""Variance outside the leading directions, at least; that of a column around the means of the cells is 1."""


@dataclass(frozen=True, eq=False)
class FittedCells:
    """Gaussians of C cells over D columns.

    Attributes:
        spread: ``(D,)`` standard deviation of each column within cells; everything below is in this unit.
        directions: ``(D, r)``, scaled so that ``precision |y|^2 - |y directions|^2`` is the squared Mahalanobis length of y.
        precision: reciprocal of the variance outside the directions.
        means: ``(C, D)`` of the cells.
        cause: ``(C,)`` int64, place of the cell's cause among ``names``.
        level: ``(C,)`` int64, severity as :func:`fit_cells` takes it.
        log_prior: ``(C,)`` float64.
        temperature: T, above 0.
        sizes: ``(C,)`` above 0, s of each cell.
        names: of the causes: ``none``, then the kinds.
    """

    spread: Rows
    directions: Rows
    precision: float
    means: Rows
    cause: Numbers
    level: Numbers
    log_prior: Rows
    temperature: float
    sizes: Rows
    names: tuple[str, ...]

    @property
    def cells(self) -> list[KindAtSeverity]:
        """Kind and severity of each, as :func:`fit_cells` takes them."""
        pairs = zip(self.cause.tolist(), self.level.tolist(), strict=True)
        return [(self.names[place], level) for place, level in pairs]

    @property
    def severity(self) -> Rows:
        """``(C,)``, 0 to 5."""
        return np.where(self.level == UNKNOWN_SEVERITY, _MIDDLE_SEVERITY, np.maximum(self.level, 0)).astype(np.float64)

    @property
    def slopes(self) -> Rows:
        """``(D, C)``: what the squared distances to the cells have in common set aside, they are ``y slopes + offsets``."""
        result: Rows = 2 * (self.directions @ (self.directions.T @ self.means.T) - self.precision * self.means.T)
        return result

    @property
    def offsets(self) -> Rows:
        """``(C,)``, see :attr:`slopes`."""
        result: Rows = self.precision * (self.means**2).sum(axis=1) - ((self.means @ self.directions) ** 2).sum(axis=1)
        return result

    @property
    def causes_of_cells(self) -> Rows:
        """``(C, 1 + K)``: 1 where the cell is of the cause."""
        result: Rows = (self.cause[:, None] == np.arange(len(self.names))).astype(np.float64)
        return result

    def distances(self, columns: Rows) -> Rows:
        """Squared Mahalanobis distances ``(N, C)`` of ``(N, D)`` columns to the cells, at least 0."""
        y = columns / self.spread
        common = self.precision * (y**2).sum(axis=1) - ((y @ self.directions) ** 2).sum(axis=1)
        result: Rows = np.maximum(common[:, None] + y @ self.slopes + self.offsets, 0)
        return result

    def novelty(self, columns: Rows) -> Rows:
        """Distance ``(N,)`` to the nearest cell."""
        return self.novelty_at(self.distances(columns))

    def novelty_at(self, distances: Rows) -> Rows:
        """The same from squared distances ``(N, C)`` to the cells."""
        result: Rows = np.sqrt((distances / (len(self.spread) * self.sizes)).min(axis=1))
        return result

    def log_shares(self, distances: Rows) -> Rows:
        """Logarithms of the probabilities of the cells, ``(N, C)``."""
        logits = self.log_prior - distances / (2 * self.temperature)
        result: Rows = logits - logsumexp(logits, axis=1, keepdims=True)
        return result

    def causes(self, columns: Rows) -> Rows:
        """Probabilities ``(N, 1 + K)`` of the causes; each row sums to 1."""
        result: Rows = np.exp(self.log_shares(self.distances(columns))) @ self.causes_of_cells
        return result

    def severities(self, columns: Rows) -> Rows:
        """Expected severity ``(N,)``, 0 to 5."""
        mean = np.exp(self.log_shares(self.distances(columns))) @ self.severity
        result: Rows = np.clip(mean, 0, LARGEST_SEVERITY)
        return result

    def with_sizes(self, sizes: Mapping[KindAtSeverity, float]) -> "FittedCells":
        """The same Gaussians with other sizes of the cells, 1 of those that are not among them."""
        return replace(self, sizes=np.array([sizes.get(cell, 1.0) for cell in self.cells]))

    def with_prior(self, temperature: float, none: float) -> "FittedCells":
        """The same Gaussians with another temperature, and ``none`` added to the logarithm of the clean cell's prior."""
        prior = np.where(self.cause == 0, none, 0.0)
        return replace(self, temperature=temperature, log_prior=prior - logsumexp(prior))


@dataclass(frozen=True, eq=False)
class CellMeans:
    """N frames around the means of their cells.

    Attributes:
        spread: ``(D,)`` standard deviation of each column within cells; means and rest are in this unit.
        means: ``(C, D)`` of the cells.
        rest: ``(N, D)`` differences of the frames from them.
        cell: ``(N,)`` int64, of each frame.
        cause: ``(C,)`` int64, place of the cell's kind among the names.
        level: ``(C,)`` int64, severity.
        freedom: N less C.
    """

    spread: Rows
    means: Rows
    rest: Rows
    cell: Numbers
    cause: Numbers
    level: Numbers
    freedom: int

    @classmethod
    def of(cls, columns: Rows, kind: NDArray[np.str_], severity: Numbers, names: Sequence[str]) -> Self:
        """The means of ``(N, D)`` columns; kind, severity and names as :func:`fit_cells` takes them.

        Raises:
            ValueError: no more frames than cells.
        """
        places = np.array([names.index(name) for name in kind])
        cells, cell = np.unique(np.column_stack([places, severity]), axis=0, return_inverse=True)
        cell = cell.ravel()
        freedom = len(columns) - len(cells)
        if freedom < 1:
            raise ValueError(f"expected more frames than cells, got {len(columns)} and {len(cells)}: fit more frames")
        means = np.zeros((len(cells), columns.shape[1]))
        np.add.at(means, cell, columns)
        means /= np.bincount(cell)[:, None]
        rest = columns - means[cell]
        spread = np.maximum(np.sqrt((rest**2).sum(axis=0) / freedom), _LEAST_SPREAD)
        cause, level = cells.T.astype(np.int64)
        return cls(spread, means / spread, rest / spread, cell, cause, level, freedom)


def fit_cells(columns: Rows, kind: NDArray[np.str_], severity: Numbers, names: Sequence[str]) -> FittedCells:
    """Fit the Gaussians, with temperature 1, size 1 and the same prior for each cell.

    Args:
        columns: ``(N, D)``, finite.
        kind: ``(N,)``, each one of ``names``.
        severity: ``(N,)``, 0 where the kind is ``none``, -1 where it is unknown, below that a number for each way in which
            frames of ``none`` were changed: each is a cell of its own, of severity 0.
        names: of the causes, ``none`` first; ones without a frame have no cell.

    Raises:
        ValueError: no more frames than cells.
    """
    cells = CellMeans.of(columns, kind, severity, names)
    directions, precision = _leading(cells.rest.T @ cells.rest / cells.freedom, min(DIRECTIONS, cells.freedom))
    fitted = FittedCells(
        cells.spread,
        directions,
        precision,
        cells.means,
        cells.cause,
        cells.level,
        np.zeros(len(cells.means)),
        1.0,
        np.ones(len(cells.means)),
        tuple(names),
    )
    return fitted.with_prior(1.0, 0.0)


def _leading(correlation: Rows, count: int) -> tuple[Rows, float]:
    """Scaled leading directions of a correlation matrix, and the reciprocal of the mean variance outside them."""
    size = len(correlation)
    count = min(count, size - 1)
    values, vectors = (
        eigh(correlation, subset_by_index=(size - count, size - 1)) if count else (np.zeros(0), np.zeros((size, 0)))
    )
    noise = max((np.trace(correlation) - values.sum()) / (size - count), _LEAST_NOISE)
    gains = np.maximum(1 / noise - 1 / np.maximum(values, noise), 0)
    return vectors * np.sqrt(gains), 1 / noise
