# SPDX-License-Identifier: Apache-2.0
"""The full sum of a kernel density at a few points, under many bandwidths at once, over rows that are read block by block."""

import numpy as np
from numpy.typing import NDArray

from export.features.rows import RowBlocks

_FAR = 1e300


def left_out_densities(
    rows: RowBlocks,
    mean: NDArray[np.float64],
    places: NDArray[np.int64],
    folds: NDArray[np.int64],
    bandwidths: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log-densities ``(Q, K)`` of some rows under the full sum over the other folds, nats, and ``(Q,)`` the nearest of those.

    Args:
        rows: ``(N, D)``.
        mean: ``(D,)``, about that of the rows.
        places: ``(Q,)`` indices of rows.
        folds: ``(N,)``.
        bandwidths: ``(K,)``.
    """
    centred = rows[places] - mean
    own = (centred**2).sum(axis=1)[:, None]
    least, nearest = np.full(len(places), _FAR), np.zeros(len(places), np.int64)
    totals, counts, start = np.zeros((len(places), len(bandwidths))), np.zeros(len(places)), 0
    for block in rows:
        block = block - mean
        squared = centred @ block.T
        squared *= -2
        squared += (block**2).sum(axis=1)
        squared += own
        same = folds[places][:, None] == folds[start : start + len(block)]
        squared[same] = np.inf
        closest = squared.argmin(axis=1)
        distance = np.maximum(squared[np.arange(len(places)), closest], 0)
        nearer = distance < least
        nearest[nearer] = start + closest[nearer]
        now = np.minimum(least, distance)
        totals *= np.exp((now - least)[:, None] / (2 * bandwidths**2))
        squared -= now[:, None]
        totals += kernel_sums(squared, bandwidths)
        counts += (~same).sum(axis=1)
        least, start = now, start + len(block)
    found = np.log(totals / counts[:, None]) - least[:, None] / (2 * bandwidths**2)
    found -= rows.shape[1] / 2 * np.log(2 * np.pi * bandwidths**2)
    return found, nearest


def kernel_sums(squared: NDArray[np.float64], bandwidths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over each row of ``exp(-squared / (2 b^2))``: ``(Q, N)`` and ``(K,)`` ascending to ``(Q, K)``.

    The kernel of a bandwidth half an octave narrower is the square, which takes a tenth of the time of an exponential.
    """
    sums = np.empty((len(squared), len(bandwidths)))
    held: dict[int, NDArray[np.float64]] = {}
    for k in reversed(range(len(bandwidths))):
        wider = [m for m in held if np.isclose(bandwidths[m], np.sqrt(2) * bandwidths[k], rtol=1e-12)]
        if wider:
            kernel = held.pop(wider[0])
            np.square(kernel, out=kernel)
        else:
            kernel = np.exp(squared * (-0.5 / bandwidths[k] ** 2))
        sums[:, k] = kernel.sum(axis=1)
        held = dict([*held.items(), (k, kernel)][-2:])
    return sums
