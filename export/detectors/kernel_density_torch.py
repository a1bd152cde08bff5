# SPDX-License-Identifier: Apache-2.0
"""The exact kernel density in torch, for TorchScript."""

import math

import torch
from torch import Tensor, nn

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
