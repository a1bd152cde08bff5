# SPDX-License-Identifier: Apache-2.0
"""Differential entropy of latent samples, by nearest neighbours (Kozachenko and Leonenko 1987; Kraskov et al. 2004).

``h = digamma(n) - digamma(k) + mean_i log(2 r_i)`` nats, with ``r_i`` the distance from sample i to its k-th nearest
other sample, floored at ``MIN_DIST``. In one dimension the k nearest samples stand beside each other once the samples are
sorted, so no tree is needed:
``r_i = min_o max(x[i] - x[i - o], x[i - o + k] - x[i])`` over the offsets o = 0..k.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from export.detectors.entropy_constants import DEFAULT_NEIGHBORS, MIN_DIST

_COLUMNS_AT_ONCE = 8192  # what a block sorts stays in the processor's cache


def check_neighbors(samples: int, neighbors: int) -> None:
    """Refuse a k that leaves a sample without a k-th neighbour.

    Raises:
        ValueError: ``neighbors`` is below 1, or not below ``samples``.
    """
    if not 1 <= neighbors < samples:
        raise ValueError(
            f"expected more Monte-Carlo samples than neighbours (S > k >= 1), got S = {samples} and k = {neighbors}"
        )


def entropy_offset(samples: int, neighbors: int) -> float:
    """Constant part of the estimate, ``digamma(n) - digamma(k)``, in nats."""
    check_neighbors(samples, neighbors)
    return float(digamma(samples) - digamma(neighbors))


def latent_entropy(
    latent_samples: NDArray[np.floating], neighbors: int = DEFAULT_NEIGHBORS, min_dist: float = MIN_DIST
) -> NDArray[np.float64]:
    """Estimate the entropy of every latent dimension of every frame.

    Args:
        latent_samples: ``(..., S, C)``, any float dtype.
        neighbors: k, in 1..S - 1.
        min_dist: floor of the distances, above 0; it bounds the entropy of a constant dimension from below.

    Returns:
        ``(..., C)`` float64, nats.

    Raises:
        ValueError: S <= k.
    """
    *frames, samples, channels = np.shape(latent_samples)
    offset = entropy_offset(samples, neighbors)
    stacked = np.reshape(latent_samples, (-1, samples, channels))
    result = np.empty((len(stacked), channels))
    step = max(_COLUMNS_AT_ONCE // channels, 1)
    for i in range(0, len(stacked), step):
        block = stacked[i : i + step]
        columns = block.transpose(1, 0, 2).reshape(samples, -1).astype(np.float64)
        result[i : i + step] = _mean_log_diameter(columns, neighbors, min_dist).reshape(len(block), channels)
    return (result + offset).reshape(*frames, channels)


def _mean_log_diameter(columns: NDArray[np.float64], neighbors: int, min_dist: float) -> NDArray[np.float64]:
    """Mean of ``log(2 r_i)``: ``(S, M)`` samples, which are overwritten, to ``(M,)``."""
    samples = len(columns)
    smaller = np.empty_like(columns[0])
    for i, j in _sorting_network(samples):
        np.minimum(columns[i], columns[j], out=smaller)
        np.maximum(columns[i], columns[j], out=columns[j])
        columns[i] = smaller
    radius = np.full_like(columns, np.inf)
    first, last = columns[: samples - neighbors], columns[neighbors:]
    for o in range(neighbors + 1):  # windows of k + 1 samples in which x[i] is number o
        inside = slice(o, samples - neighbors + o)
        np.minimum(radius[inside], np.maximum(columns[inside] - first, last - columns[inside]), out=radius[inside])
    mean: NDArray[np.float64] = np.log(2 * np.maximum(radius, min_dist)).mean(axis=0)
    return mean


@cache
def _sorting_network(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs of rows to compare and exchange in turn, so that all rows are sorted: Batcher's odd-even merge sort (1968).

    NumPy sorts many short columns one by one; the network compares whole rows, which vectorises over the columns.
    """
    pairs: list[tuple[int, int]] = []
    merged = 1
    while merged < count:
        distance = merged
        while distance >= 1:
            for start in range(distance % merged, count - distance, 2 * distance):
                rows = range(start, min(start + distance, count - distance))
                pairs += [(i, i + distance) for i in rows if i // (2 * merged) == (i + distance) // (2 * merged)]
            distance //= 2
        merged *= 2
    return tuple(pairs)
