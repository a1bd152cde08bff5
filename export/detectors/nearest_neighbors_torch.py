# SPDX-License-Identifier: Apache-2.0
"""The distance to the k-th nearest training row in torch, for TorchScript."""

import torch
from torch import Tensor, nn

from export.detectors.nearest_neighbors import NearestNeighborDetector


class NearestNeighborScore(nn.Module):
    """``-detector.score_samples`` in torch: ``(B, D)`` float64 to ``(B,)`` float64.

    Args:
        detector: fitted.
    """

    points: Tensor

    def __init__(self, detector: NearestNeighborDetector) -> None:
        super().__init__()
        self.register_buffer("points", torch.from_numpy(detector.points_))
        self.neighbors = detector.n_neighbors

    def forward(self, rows: Tensor) -> Tensor:
        """Distances to all rows, of which the k-th smallest is taken."""
        distances = torch.cdist(rows, self.points, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.topk(self.neighbors, dim=1, largest=False).values[:, -1]
