# SPDX-License-Identifier: Apache-2.0
"""DropBlock (Ghiasi, Lin and Le 2018, "DropBlock: A regularization method for convolutional networks")."""

import math
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import TapError
from export.layers.randomness import MaskedRandomness, MaskShapes

_NAMES = {"DropBlock2D", "DropBlock2d"}


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
            raise ValueError(f"expected drop_prob in [0, 1], got {drop_prob}: 0.5 is a usual choice")
        if block_size < 1:
            raise ValueError(f"expected block_size of at least 1, got {block_size}: 8 is a usual choice")
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


@dataclass(frozen=True)
class DropBlockRandomness(MaskedRandomness):
    """Drops squares of a feature map in all channels; what is kept is scaled mask by mask.

    DropBlock layers are recognised by the names of their class and attributes, so that no package that defines one has to
    be installed. A ``DropBlock2d`` of another package lends its constants; its masks are drawn by :func:`block_masks`.

    Attributes:
        block_size: side b of the squares, in cells.
    """

    block_size: int
    kind = "dropblock"
    noun = "a DropBlock"
    stores_weights = True

    @classmethod
    def of_constants(cls, drop_prob: float, block_size: int) -> Self:
        """DropBlock with the constants that a user gave.

        Raises:
            TapError: p outside (0, 1), or b below 1.
        """
        if not 0 < drop_prob < 1:
            raise TapError(f"expected a drop probability above 0 and below 1, got {drop_prob}: 0.5 is a usual choice")
        if block_size < 1:
            raise TapError(f"expected a block size of at least 1 cell, got {block_size}: 8 is a usual choice")
        return cls(drop_prob, block_size)

    @classmethod
    def recognise(cls, module: nn.Module) -> Self | None:
        """A layer that :func:`is_drop_block` knows, where its p is above 0."""
        if not is_drop_block(module):
            return None
        drop_prob, block_size = (float(cast(float, constant)) for constant in _constants(module))
        return cls(drop_prob, int(block_size)) if drop_prob > 0 else None

    def constants(self) -> dict[str, float | int | None]:
        """Drop probability p and block size b."""
        return {"drop_prob": self.drop_prob, "block_size": self.block_size}

    def __str__(self) -> str:
        """One short phrase for tables and messages."""
        return f"{self.kind}(p={self.drop_prob:g}, b={self.block_size})"

    def shapes(self, frame_shape: tuple[int, ...], batch_dim: int) -> MaskShapes | None:
        """One number a cell, for ``(B, C, H, W)`` alone."""
        if batch_dim != 0 or frame_shape[0] != 1 or len(frame_shape) != 4:
            return None
        height, width = frame_shape[2:]
        return MaskShapes((height, width), (1, 1, height, width))

    def keep(self, uniform: Tensor) -> Tensor:
        """Blocks around random seeds are dropped, see :func:`block_masks`."""
        return block_masks(uniform.flatten(0, -3), self.drop_prob, self.block_size).reshape(uniform.shape)

    def weights(self, keep: Tensor) -> Tensor:
        """``H * W / kept``, mask by mask; all zeros where nothing is kept."""
        kept = keep.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        return keep * (keep.shape[-2] * keep.shape[-1] / kept)

    def masked_mean(
        self,
        features: Tensor,
        weights: Tensor,
        samples: int,  # noqa: ARG002
        mask_shape: tuple[int, ...],  # noqa: ARG002
        channels: int,  # noqa: ARG002
    ) -> Tensor:
        """One product of a ``(C, H W)`` and a ``(H W, S)`` matrix for each frame.

        The mask is shared by the channels and the mean over the map is linear, so no layer runs S times.
        """
        averaging = weights.flatten(-2).transpose(-1, -2) / (features.shape[-2] * features.shape[-1])
        return (features.flatten(2) @ averaging).transpose(1, 2)

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        """Multiply by the mask, and by all cells over kept ones."""
        return features * keep * keep.numel() / max(float(keep.sum()), 1.0)

    def no_drop_probability(self, draws: int) -> float:
        """A cell is a seed with probability p / b^2."""
        return math.pow(1 - self.drop_prob / self.block_size**2, draws)


def is_drop_block(module: nn.Module) -> bool:
    """Whether a layer is a DropBlock by the name of its class (or a base) and its two constants, p = 0 included."""
    named = any(cls.__name__ in _NAMES for cls in type(module).__mro__)
    return named and None not in _constants(module)


def _constants(module: nn.Module) -> tuple[object, object]:
    return getattr(module, "drop_prob", getattr(module, "p", None)), getattr(module, "block_size", None)
