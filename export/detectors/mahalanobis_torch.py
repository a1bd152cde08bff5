# SPDX-License-Identifier: Apache-2.0
"""Mahalanobis distances in torch, for TorchScript."""

import numpy as np
import torch
from torch import Tensor, nn

from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.mahalanobis_l2 import SMALLEST, NormalisedMahalanobisDetector


class MahalanobisScore(nn.Module):
    """``-detector.score_samples`` in torch: ``(B, D)`` float64 to ``(B,)`` float64.

    Args:
        detector: fitted.
    """

    location: Tensor
    directions: Tensor
    weights: Tensor

    def __init__(self, detector: MahalanobisDetector) -> None:
        super().__init__()
        self.register_buffer("location", torch.from_numpy(detector.location_))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(detector.directions_.T)))
        self.register_buffer("weights", torch.from_numpy(detector.weights_))
        self.rest_precision = detector.rest_precision_

    def forward(self, rows: Tensor) -> Tensor:
        """Weighted squares along the directions, and the rest of the norm."""
        centred = rows - self.location
        squared: Tensor = ((centred @ self.directions.double()) ** 2) @ self.weights
        return squared + self.rest_precision * (centred**2).sum(dim=1)


class NormalisedMahalanobisScore(nn.Module):
    """The same of rows that are divided by their norm first.

    Args:
        detector: fitted.
    """

    def __init__(self, detector: NormalisedMahalanobisDetector) -> None:
        super().__init__()
        self.gaussian = MahalanobisScore(detector.gaussian_)

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise, then measure."""
        norm = ((rows**2).sum(dim=1, keepdim=True) + SMALLEST).sqrt()
        score: Tensor = self.gaussian(rows / norm)
        return score
