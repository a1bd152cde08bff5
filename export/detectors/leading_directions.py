# SPDX-License-Identifier: Apache-2.0
"""Leading eigenvectors of a covariance, also of wide rows, whose covariance is never formed where the rows are fewer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.blas import dsyrk
from scipy.sparse.linalg import eigsh

from export.features.rows import RowBlocks

_FEW = 2048


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


def leading_directions(rows: NDArray[np.floating] | RowBlocks, count: int) -> Spectrum:
    """Compute the ``count`` leading directions of rows, or as many as have any spread.

    Of fewer rows than dimensions the N x N products are decomposed (the same eigenvalues), else the D x D covariance.

    Args:
        rows: ``(N, D)``; read block by block where they are no fewer than dimensions.
        count: number of directions that are wanted, at least 0.
    """
    total, dimensions = rows.shape
    wide = total < dimensions
    if wide:
        whole = np.asarray(rows, np.float64)
        mean = whole.mean(axis=0)
        centred = whole - mean
        matrix = centred @ centred.T / total
    else:
        mean, matrix = covariance(rows)
    trace, squares = float(np.trace(matrix)), float((matrix**2).sum())
    values, vectors = _largest(matrix, min(count, len(matrix)))
    # Of centred rows one eigenvalue is 0 at least; what rounding leaves of it is no direction.
    kept = values > max(trace, 0.0) * np.finfo(np.float64).eps * len(matrix)
    values, vectors = values[kept], vectors[:, kept]
    directions = (vectors.T @ centred) / np.sqrt(values * total)[:, None] if wide else vectors.T
    return Spectrum(mean, values, directions, trace, squares)


def covariance(rows: NDArray[np.floating] | RowBlocks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(D,)`` and covariance ``(D, D)``, divided by N, in two passes over blocks of rows.

    Args:
        rows: ``(N, D)``.
    """
    blocks = RowBlocks.of(rows)
    count, dimensions = blocks.shape
    first = blocks[:1][0]  # sums of differences lose no digits far from the origin
    total = np.zeros(dimensions)
    for block in blocks:
        total += (block - first).sum(axis=0)
    mean = first + total / count
    matrix = np.zeros((dimensions, dimensions), order="F")
    for block in blocks:
        matrix = dsyrk(1 / count, (block - mean).T, beta=1, c=matrix, overwrite_c=True)  # the upper triangle
    matrix += np.triu(matrix, 1).T
    return mean, matrix


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
