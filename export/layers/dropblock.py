# SPDX-License-Identifier: Apache-2.0
"""DropBlock (Ghiasi, Lin and Le 2018, "DropBlock: A regularization method for convolutional networks")."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def block_masks(uniform: Tensor, drop_prob: float, block_size: int) -> Tensor:
    """Grow blocks around random seeds and return what is kept.

    A cell is a seed where ``uniform < drop_prob / block_size**2``; every seed drops the ``block_size`` x ``block_size``
    square around it, cut at the borders. The share that is dropped is therefore not ``drop_prob``: blocks overlap.

    Args:
        uniform: ``(N, H, W)`` float, drawn uniformly from [0, 1).
        drop_prob: in [0, 1].
        block_size: side of a block in cells, at least 1.

    Returns:
        ``(N, H, W)`` in the dtype of ``uniform``: 1 where a cell is kept, 0 where it is dropped.
    """
    seeds = (uniform < drop_prob / block_size**2).to(uniform.dtype)
    dropped = F.max_pool2d(seeds[:, None], kernel_size=block_size, stride=1, padding=block_size // 2)[:, 0]
    if block_size % 2 == 0:
        dropped = dropped[:, :-1, :-1]
    return 1 - dropped


class DropBlock2D(nn.Module):
    """Drops square blocks of a feature map in training, and does nothing in evaluation.

    One mask per item of the batch, shared by all its channels; what is kept is scaled by ``H * W / kept``, mask by mask.
    (The ``dropblock`` package scales by the whole batch, so that an item's features depend on its neighbours'; for a
    batch of one the two agree.) A mask that keeps nothing gives zeros.

    Args:
        drop_prob: drop probability p of the paper, in [0, 1].
        block_size: side b of a block, in cells of the feature map.
    """

    def __init__(self, drop_prob: float = 0.5, block_size: int = 8) -> None:
        super().__init__()
        if not 0 <= drop_prob <= 1:
            raise ValueError(f"expected drop_prob in [0, 1], got {drop_prob}")
        if block_size < 1:
            raise ValueError(f"expected block_size of at least 1, got {block_size}")
        self.drop_prob = drop_prob
        self.block_size = block_size

    def forward(self, x: Tensor) -> Tensor:
        """Drop blocks of ``x``, ``(N, C, H, W)``; the same shape comes back."""
        if not self.training or self.drop_prob == 0:
            return x
        n, _, h, w = x.shape
        uniform = torch.rand(n, h, w, device=x.device, dtype=x.dtype)
        keep = block_masks(uniform, self.drop_prob, self.block_size)
        kept = keep.sum(dim=(1, 2), keepdim=True).clamp(min=1)
        return x * (keep * (h * w / kept))[:, None]

    def extra_repr(self) -> str:
        """Show both constants where the network is printed: neither stands in a checkpoint's weights."""
        return f"drop_prob={self.drop_prob}, block_size={self.block_size}"
