# SPDX-License-Identifier: Apache-2.0
"""Whether a frame is typical of a cause: one Gaussian for each kind, with a covariance of its own, and a limit of distance.

The cells that tell causes (:mod:`export.answers.cells`) share one covariance, so that a frame of another camera, off in a
direction in which rain moves frames as well, may lie nearest to rain and yet where no rain ever is. Here the frames of each
kind lie around the means of its severities with a covariance of their own, that of all kinds blended in as so many frames
(regularised discriminant analysis; Friedman 1989). With the squared Mahalanobis distance ``d_k`` to the nearest severity of a
kind, its probability is multiplied by

    1 / (1 + exp((d_k - limit_k) / 2 T)),

the chance of the kind against a cause that nothing is known of and that is as probable at the limit, by the temperature T of
the cells. What the causes lose is spread over all of them alike, so that none of them is probable where none is typical.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit

from export.answers.cells import CellMeans, Numbers
from export.answers.columns import Rows

PRIOR_FRAMES = 25
"""Frames of the covariance of all kinds that are added to those of each."""

_LEAST_VARIANCE = 1e-3
"""Added to the variance of each column, of which that around the means of the cells is 1."""

NO_LIMIT = 1e30
"""Squared distance that every frame keeps, and that of frames from a cause that no frame of the fit is of."""


@dataclass(frozen=True, eq=False)
class FittedTypicality:
    """Gaussians of K + 1 causes over D columns.

    Attributes:
        spread: ``(D,)`` standard deviation of each column within cells; everything below is in this unit.
        roots: ``(1 + K, D, D)``: ``|y roots_k|^2`` is the squared Mahalanobis length of y in the covariance of cause k.
        means: ``(C, D)`` of the cells.
        cause: ``(C,)`` int64, of each cell.
        limits: ``(1 + K,)`` squared distances, above 0.
        temperature: T, above 0.
    """

    spread: Rows
    roots: Rows
    means: Rows
    cause: Numbers
    limits: Rows
    temperature: float

    def distances(self, columns: Rows) -> Rows:
        """Squared distances ``(N, 1 + K)`` of ``(N, D)`` columns to the nearest severity of each cause."""
        y = columns / self.spread
        found: Rows = np.full((len(y), len(self.roots)), NO_LIMIT)
        for place, root in enumerate(self.roots):
            along, means = y @ root, self.means[self.cause == place] @ root
            if len(means):
                nearest = ((means**2).sum(axis=1) - 2 * along @ means.T).min(axis=1)
                found[:, place] = np.maximum((along**2).sum(axis=1) + nearest, 0)
        return found

    def __call__(self, shares: Rows, columns: Rows) -> Rows:
        """Probabilities ``(N, 1 + K)`` of the causes, less where the frame is not typical; each row sums to 1."""
        return typical(shares, self.distances(columns), self.limits, self.temperature)

    def with_limits(self, limits: Rows, temperature: float) -> "FittedTypicality":
        """The same Gaussians with other limits and another temperature."""
        return replace(self, limits=limits, temperature=temperature)


def typical(shares: Rows, distances: Rows, limits: Rows, temperature: float) -> Rows:
    """Take from probabilities of causes what squared distances beyond the limits take, and spread it; each ``(N, K)``."""
    kept = shares * expit((limits - distances) / (2 * temperature))
    result: Rows = kept + (1 - kept.sum(axis=1, keepdims=True)) / shares.shape[1]
    return result


def fit_typicality(columns: Rows, kind: NDArray[np.str_], severity: Numbers, names: Sequence[str]) -> FittedTypicality:
    """Fit the Gaussians, with limits that every frame keeps and temperature 1.

    Args:
        columns: ``(N, D)``, finite.
        kind: ``(N,)``, each one of ``names``.
        severity: ``(N,)``; frames of a kind and a severity lie around one mean.
        names: of the causes, ``none`` first; ones without a frame have no cell.

    Raises:
        ValueError: no more frames than cells.
    """
    cells = CellMeans.of(columns, kind, severity, names)
    floor = _LEAST_VARIANCE * np.eye(columns.shape[1])
    shared = cells.rest.T @ cells.rest / cells.freedom
    roots = []
    for place in range(len(names)):
        own = cells.rest[cells.cause[cells.cell] == place]
        freedom = max(len(own) - int((cells.cause == place).sum()), 0)
        blended = (own.T @ own + PRIOR_FRAMES * shared) / (freedom + PRIOR_FRAMES)
        lower = cholesky(blended + floor, lower=True)
        roots.append(solve_triangular(lower, np.eye(len(lower)), lower=True).T)
    return FittedTypicality(cells.spread, np.stack(roots), cells.means, cells.cause, np.full(len(names), NO_LIMIT), 1.0)
