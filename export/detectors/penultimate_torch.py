# SPDX-License-Identifier: Apache-2.0
"""ViM and NECO in torch, for TorchScript."""

import numpy as np
import torch
from torch import Tensor, nn

from export.detectors.neco import SMALLEST, NeuralCollapseRatio
from export.detectors.vim import VirtualLogit


class VirtualLogitScore(nn.Module):
    """``-detector.score_samples`` in torch: ``(B, D)`` float64 to ``(B,)`` float64.

    Args:
        detector: fitted.
    """

    location: Tensor
    directions: Tensor

    def __init__(self, detector: VirtualLogit) -> None:
        super().__init__()
        self.register_buffer("location", torch.from_numpy(detector.location_))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(detector.directions_.T)))
        self.spans, self.is_energy, self.alpha = detector.spans_, detector.is_energy_, detector.alpha_

    def forward(self, rows: Tensor) -> Tensor:
        """Virtual logit of the residual, minus the energy of the logits."""
        (start, end), (first, last) = self.spans
        centred, logits = rows[:, start:end] - self.location, rows[:, first:last]
        inside = ((centred @ self.directions) ** 2).sum(dim=1)
        virtual = self.alpha * ((centred**2).sum(dim=1) - inside).abs().sqrt()
        return virtual + (logits[:, 0] if self.is_energy else -logits.logsumexp(dim=1))


class NeuralCollapseScore(nn.Module):
    """``-detector.score_samples`` in torch: ``(B, D)`` float64 to ``(B,)`` float64.

    Args:
        detector: fitted.
    """

    location: Tensor
    scale: Tensor
    directions: Tensor

    def __init__(self, detector: NeuralCollapseRatio) -> None:
        super().__init__()
        self.register_buffer("location", torch.from_numpy(detector.location_))
        self.register_buffer("scale", torch.from_numpy(detector.scale_))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(detector.directions_.T)))
        self.spans, self.is_maximum = detector.spans_, detector.is_maximum_

    def forward(self, rows: Tensor) -> Tensor:
        """Ratio of the norms, times the largest logit where there are logits."""
        standardised = (rows[:, self.spans[0][0] : self.spans[0][1]] - self.location) / self.scale
        inside = ((standardised @ self.directions.double()) ** 2).sum(dim=1)
        ratio = ((inside + SMALLEST) / ((standardised**2).sum(dim=1) + SMALLEST)).sqrt()
        if len(self.spans) == 1:
            return -ratio
        logits = rows[:, self.spans[1][0] : self.spans[1][1]]
        return ratio * (logits[:, 0] if self.is_maximum else -logits.amax(dim=1))
