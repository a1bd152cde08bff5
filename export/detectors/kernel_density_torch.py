# SPDX-License-Identifier: Apache-2.0
"""Kernel densities in torch, for TorchScript."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from export.detectors.compressed_density import CompressedDensity
from export.detectors.kernel_density import ExactKernelDensity


class KernelDensityScore(nn.Module):
    """``-density.score_samples`` in torch: ``(B, D)`` float64 to ``(B,)`` float64, nats.

    Args:
        density: fitted.
    """

    points: Tensor

    def __init__(self, density: ExactKernelDensity) -> None:
        super().__init__()
        count, dimensions = density.points_.shape
        self.register_buffer("points", torch.from_numpy(density.points_))
        self.scale = -1 / (2 * density.bandwidth_**2)
        self.constant = math.log(count) + dimensions / 2 * math.log(2 * math.pi * density.bandwidth_**2)

    def forward(self, rows: Tensor) -> Tensor:
        """The exact sum over the training points."""
        squared = torch.cdist(rows, self.points, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        score: Tensor = self.constant - torch.logsumexp(squared * self.scale, dim=1)
        return score


class CompressedDensityScore(nn.Module):
    """``-density.log_density`` in torch: ``(B, D)`` float64 to ``(B,)`` float64, nats.

    Args:
        density: fitted.
    """

    mean: Tensor
    directions: Tensor
    steps: Tensor
    codes: Tensor
    offsets: Tensor

    def __init__(self, density: CompressedDensity) -> None:
        super().__init__()
        variance = density.bandwidth**2
        self.register_buffer("mean", torch.from_numpy(density.mean))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(density.directions.T)))
        self.register_buffer("steps", torch.from_numpy(density.steps / variance))
        self.register_buffer("codes", torch.from_numpy(np.ascontiguousarray(density.codes.T)))
        self.register_buffer("offsets", torch.from_numpy(np.log(density.weights) - density.norms / (2 * variance)))
        self.scale = 1 / (2 * variance)
        count, dimensions = float(density.weights.sum()), len(density.mean)
        self.constant = math.log(count) + dimensions / 2 * math.log(2 * math.pi * variance)

    def forward(self, rows: Tensor) -> Tensor:
        """The sum over the representatives."""
        centred = rows - self.mean
        coordinates = (centred @ self.directions.double()) * self.steps
        exponents = coordinates @ self.codes.double() + self.offsets
        score: Tensor = self.constant + self.scale * (centred**2).sum(dim=1) - torch.logsumexp(exponents, dim=1)
        return score
