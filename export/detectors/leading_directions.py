# SPDX-License-Identifier: Apache-2.0
"""Leading eigenvectors of a covariance, also of wide rows, whose covariance is never formed where the rows are fewer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh

_FEW = 2048
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Part of the spectrum of the covariance of ``(N, D)`` rows, which is divided by N, as scikit-learn's is.

    Attributes:
        mean: ``(D,)`` of the rows.
        values: ``(r,)`` largest eigenvalues, descending, above 0.
        directions: ``(r, D)`` their eigenvectors.
        trace: sum of all D eigenvalues.
        squares: sum of the squares of all D eigenvalues.
    """

    mean: NDArray[np.float64]
    values: NDArray[np.float64]
    directions: NDArray[np.float64]
    trace: float
    squares: float


def leading_directions(rows: NDArray[np.floating], count: int) -> Spectrum:
    """Compute the ``count`` leading directions of rows, or as many as have any spread.

    Of fewer rows than dimensions the N x N products are decomposed (the same eigenvalues), else the D x D covariance.

    Args:
        rows: ``(N, D)``.
        count: number of directions that are wanted, at least 0.
    """
    total, dimensions = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    wide = total < dimensions
    matrix = (centred @ centred.T if wide else _product(centred)) / total
    trace, squares = float(np.trace(matrix)), float((matrix**2).sum())
    values, vectors = _largest(matrix, min(count, len(matrix)))
    # Of centred rows one eigenvalue is 0 at least; what rounding leaves of it is no direction.
    kept = values > max(trace, 0.0) * np.finfo(np.float64).eps * len(matrix)
    values, vectors = values[kept], vectors[:, kept]
    directions = (vectors.T @ centred) / np.sqrt(values * total)[:, None] if wide else vectors.T
    return Spectrum(mean, values, directions, trace, squares)


def _product(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """``X^T X`` by blocks of rows."""
    total = np.zeros((centred.shape[1],) * 2)
    for i in range(0, len(centred), _BLOCK):
        total += centred[i : i + _BLOCK].T @ centred[i : i + _BLOCK]
    return total


def _largest(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest eigenvalues of a symmetric matrix, descending, and their vectors as columns."""
    size = len(matrix)
    if size > _FEW and 4 * count < size:
        values, vectors = eigsh(matrix, count, v0=np.ones(size)) if count else (np.zeros(0), np.zeros((size, 0)))
    else:
        values, vectors = eigh(matrix, subset_by_index=(size - count, size - 1) if count else None)
        values, vectors = values[len(values) - count :], vectors[:, vectors.shape[1] - count :]
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order]
