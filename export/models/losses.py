# SPDX-License-Identifier: Apache-2.0
"""Pixel losses that leave void pixels out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FocalLoss(nn.Module):
    """Focal loss (Lin et al. 2017): ``mean((1 - p)^gamma * -log p)`` over the pixels that have a class.

    The guide's version divides by all pixels, void ones included; this one divides by those that count.

    Args:
        gamma: focusing exponent; 0 gives cross-entropy.
        ignore_index: label of void pixels.
        weight: ``(K,)`` class weights, or None.
    """

    weight: Tensor | None

    def __init__(self, gamma: float = 2.0, ignore_index: int = 255, weight: Tensor | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``(N, K, H, W)`` logits and ``(N, H, W)`` int64 labels to a scalar."""
        log_p = -F.cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="none")
        loss = -((1 - log_p.exp()) ** self.gamma) * log_p
        counted = labels != self.ignore_index
        share = torch.ones_like(loss) if self.weight is None else self.weight[labels.where(counted, 0)]
        return (loss * share)[counted].sum() / share[counted].sum().clamp(min=1e-12)
