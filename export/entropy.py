# SPDX-License-Identifier: Apache-2.0
"""Differential entropy of latent samples, by nearest neighbours (Kozachenko and Leonenko 1987; Kraskov et al. 2004).

``h = digamma(n) - digamma(k) + mean_i log(2 r_i)`` nats, with ``r_i`` the distance from sample i to its k-th nearest
other sample, floored at ``MIN_DIST``; in C dimensions the mean is taken C times. In one dimension the k nearest samples
stand beside each other once the samples are sorted, so no tree is needed:
``r_i = min_o max(x[i] - x[i - o], x[i - o + k] - x[i])`` over the offsets o = 0..k.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from export.errors import UsageError

if TYPE_CHECKING:  # recalibration does without torch
    from torch import Tensor

MIN_DIST = 1e-5
DEFAULT_NEIGHBORS = 5
_FRAMES_AT_ONCE = 32


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
    """``digamma(n) - digamma(k)``: the part of the estimate that no sample changes, in nats."""
    check_neighbors(samples, neighbors)
    return float(digamma(samples) - digamma(neighbors))


def latent_entropy(
    latent_samples: NDArray[np.floating], neighbors: int = DEFAULT_NEIGHBORS, min_dist: float = MIN_DIST
) -> NDArray[np.float64]:
    """Entropy of every latent dimension of every frame.

    Args:
        latent_samples: ``(..., S, C)``, any float dtype.
        neighbors: k, in 1..S - 1.
        min_dist: floor of the distances, above 0; it bounds the entropy of a constant dimension from below.

    Returns:
        ``(..., C)`` float64, nats.

    Raises:
        ValueError: S <= k.
    """
    ordered = np.sort(np.asarray(latent_samples, np.float64), axis=-2)
    samples = ordered.shape[-2]
    offset = entropy_offset(samples, neighbors)
    edge = np.full((*ordered.shape[:-2], neighbors, ordered.shape[-1]), np.inf)
    padded = np.concatenate([-edge, ordered, edge], axis=-2)
    radius = np.full_like(ordered, np.inf)
    for o in range(neighbors + 1):
        below = ordered - padded[..., neighbors - o : neighbors - o + samples, :]
        above = padded[..., 2 * neighbors - o : 2 * neighbors - o + samples, :] - ordered
        np.minimum(radius, np.maximum(below, above), out=radius)
    result: NDArray[np.float64] = offset + np.log(2 * np.maximum(radius, min_dist)).mean(axis=-2)
    return result


def joint_entropy(
    latent_samples: NDArray[np.floating], neighbors: int = DEFAULT_NEIGHBORS, min_dist: float = MIN_DIST
) -> NDArray[np.float64]:
    """Entropy of the latent vector of every frame, with distances in the max norm.

    ``h = digamma(n) - digamma(k) + C mean_i log(2 r_i)``. With tens of samples in thousands of dimensions this says little
    about the true entropy; it is the guide's figure.

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
    """Entropies of every frame from its Monte-Carlo samples, by the guide's name.

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
