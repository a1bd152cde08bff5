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
    units: Tensor
    steps: Tensor
    coarse_steps: Tensor
    codes: Tensor
    fine: Tensor
    offsets: Tensor

    def __init__(self, density: CompressedDensity) -> None:
        super().__init__()
        variance, layout = density.bandwidth**2, density.layout
        self.register_buffer("mean", torch.from_numpy(density.mean))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(density.directions.T)))
        self.register_buffer("units", torch.from_numpy(density.units))
        self.register_buffer("steps", torch.from_numpy(layout.steps / variance))
        self.register_buffer("coarse_steps", torch.from_numpy(layout.coarse_steps / variance))
        self.register_buffer("codes", torch.from_numpy(np.ascontiguousarray(density.codes.T)))
        self.register_buffer("fine", torch.from_numpy(density.fine))
        self.register_buffer("offsets", torch.from_numpy(density.offsets))
        self.coarse, self.wide, self.kept = layout.coarse, layout.count(16), density.candidates
        self.spans = [
            (bits, directions.stop - directions.start, bytes_.start, bytes_.stop)
            for bits, directions, bytes_ in layout.spans()
        ]
        self.scale = 1 / (2 * variance)
        count, dimensions = float(density.weights.sum(dtype=np.float64)), len(density.mean)
        self.constant = math.log(count) + dimensions / 2 * math.log(2 * math.pi * variance)

    def forward(self, rows: Tensor) -> Tensor:
        """The sum over the candidates by all their bytes, and over all others by the coarse ones."""
        centred = rows - self.mean
        along = (centred @ self.directions.double()) * self.units
        scaled = (along[:, : self.coarse] * self.coarse_steps).float()
        terms = scaled @ self.codes.float() + self.offsets.float()
        places = torch.topk(terms, self.kept, dim=1).indices
        first = self.codes[:, places].permute(1, 2, 0).double()
        bytes_ = self.fine[places].double()
        parts = [256 * first[..., : self.wide] + bytes_[..., : self.wide] - 128, first[..., self.wide :]]
        for bits, count, start, stop in self.spans:
            shifts = torch.pow(2.0, -bits * torch.arange(8 // bits, dtype=torch.float64, device=rows.device))
            shifted = torch.floor(bytes_[..., start:stop, None] * shifts)
            fields = torch.remainder(shifted, 2**bits).flatten(-2)
            parts.append(fields[..., :count] + 0.5 - 2 ** (bits - 1))
        products = torch.cat(parts, dim=-1) @ (along * self.steps)[:, :, None]
        near = torch.logsumexp(products[..., 0] + self.offsets[places], dim=1)
        rest = torch.logsumexp(terms.scatter(1, places, -math.inf), dim=1).double()
        log_sum = torch.logaddexp(near, rest)
        score: Tensor = self.constant + self.scale * (centred**2).sum(dim=1) - log_sum
        return score
