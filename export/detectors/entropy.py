# SPDX-License-Identifier: Apache-2.0
"""Differential entropy of latent samples, by nearest neighbours (Kozachenko and Leonenko 1987; Kraskov et al. 2004).

``h = digamma(n) - digamma(k) + mean_i log(2 r_i)`` nats, with ``r_i`` the distance from sample i to its k-th nearest
other sample, floored at ``MIN_DIST``; in C dimensions the mean is taken C times. In one dimension the k nearest samples
stand beside each other once the samples are sorted, so no tree is needed:
``r_i = min_o max(x[i] - x[i - o], x[i - o + k] - x[i])`` over the offsets o = 0..k.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from export.detectors.entropy_constants import DEFAULT_NEIGHBORS, MIN_DIST
from export.errors import UsageError

if TYPE_CHECKING:  # recalibration does without torch
    from torch import Tensor

_FRAMES_AT_ONCE = 32
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


def joint_entropy(
    latent_samples: NDArray[np.floating], neighbors: int = DEFAULT_NEIGHBORS, min_dist: float = MIN_DIST
) -> NDArray[np.float64]:
    """Estimate the joint entropy of the latent vector of every frame, with distances in the max norm.

    ``h = digamma(n) - digamma(k) + C mean_i log(2 r_i)``. With tens of samples in thousands of dimensions the estimate is far
    from the true entropy; it is the guide's figure.

    Args:
        latent_samples: ``(..., S, C)``, any float dtype.
        neighbors: k, in 1..S - 1.
        min_dist: floor of the distances, above 0.

    Returns:
        ``(...)`` float64, nats.

    Raises:
        ValueError: S <= k.
    """
    points = np.asarray(latent_samples, np.float64)
    samples, channels = points.shape[-2:]
    offset = entropy_offset(samples, neighbors)
    others = [np.abs(points - np.roll(points, shift, axis=-2)).max(axis=-1) for shift in range(1, samples)]
    radius = np.partition(np.stack(others, axis=-1), neighbors - 1, axis=-1)[..., neighbors - 1]
    result: NDArray[np.float64] = offset + channels * np.log(2 * np.maximum(radius, min_dist)).mean(axis=-1)
    return result


def get_dl_h_z(dl_z_samples: Tensor, mcd_samples_nro: int = 32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the entropies of every frame from its Monte-Carlo samples; the guide's name.

    k is 5, or S - 1 where S is not above 5.

    Args:
        dl_z_samples: ``(N * S, C)`` float, a frame's S samples together.
        mcd_samples_nro: S, at least 2.

    Returns:
        The joint entropies ``(N, 1)`` and those of each dimension ``(N, C)``, float64, nats.

    Raises:
        UsageError: fewer than two samples a frame, or rows that do not make whole frames.
    """
    rows = dl_z_samples.shape[0]
    if dl_z_samples.dim() != 2 or mcd_samples_nro < 2 or rows == 0 or rows % mcd_samples_nro:
        raise UsageError(
            f"expected (N * S, C) samples with S of at least 2, got {tuple(dl_z_samples.shape)} and S = {mcd_samples_nro}: "
            "pass the S that the samples were taken with"
        )
    neighbors = min(DEFAULT_NEIGHBORS, mcd_samples_nro - 1)
    by_frame = dl_z_samples.detach().cpu().reshape(-1, mcd_samples_nro, dl_z_samples.shape[1]).numpy()
    blocks = [by_frame[i : i + _FRAMES_AT_ONCE] for i in range(0, len(by_frame), _FRAMES_AT_ONCE)]
    joint = np.concatenate([joint_entropy(block, neighbors) for block in blocks])
    return joint[:, None], np.concatenate([latent_entropy(block, neighbors) for block in blocks])
