# SPDX-License-Identifier: Apache-2.0
"""Entropies of Monte-Carlo samples by the guide's name, the joint entropy of the latent vector among them."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from export.detectors.entropy import entropy_offset, latent_entropy
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS, MIN_DIST
from export.errors import UsageError

_FRAMES_AT_ONCE = 32


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
