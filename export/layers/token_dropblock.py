# SPDX-License-Identifier: Apache-2.0
"""DropBlock on cells whose channels stand last: a grid of tokens, perhaps behind a class token, or a map ``(B, H, W, C)``."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from export.layers.dropblock import DropBlockRandomness
from export.layers.dropout import DropoutRandomness
from export.layers.feature_layout import FeatureLayout
from export.layers.randomness import MaskedRandomness, MaskShapes


@dataclass(frozen=True)
class TokenDropBlockRandomness(DropBlockRandomness):
    """Drops squares of a grid of cells in all channels, and leaves the tokens in front of the grid as they are.

    Attributes:
        rows: of the grid.
        columns: of the grid; cells are in the order of reading, row by row.
        others: tokens in front of the grid.
    """

    rows: int = 1
    columns: int = 1
    others: int = 0

    def shapes(self, frame_shape: tuple[int, ...], batch_dim: int) -> MaskShapes | None:
        """One number a cell, for ``(B, N, C)`` and ``(B, H, W, C)`` that hold the grid."""
        grid = (self.rows, self.columns)
        if batch_dim != 0 or frame_shape[0] != 1:
            return None
        if len(frame_shape) == 4 and frame_shape[1:3] == grid and not self.others:
            return MaskShapes(grid, (1, *grid, 1))
        tokens = self.others + self.rows * self.columns
        return MaskShapes(grid, (1, tokens, 1)) if len(frame_shape) == 3 and frame_shape[1] == tokens else None

    def weights(self, keep: Tensor) -> Tensor:
        """``H * W / kept`` for each cell, mask by mask, behind a 1 for each other token: ``(..., N)``."""
        return F.pad(super().weights(keep).flatten(-2), (self.others, 0), value=1.0)

    def masked_mean(
        self,
        features: Tensor,
        weights: Tensor,
        samples: int,  # noqa: ARG002
        mask_shape: tuple[int, ...],  # noqa: ARG002
        channels: int,  # noqa: ARG002
    ) -> Tensor:
        """One product of an ``(S, N)`` and an ``(N, C)`` matrix for each frame."""
        tokens = features.flatten(1, -2)
        return (weights / tokens.shape[1]) @ tokens

    def shaped(self, keep: Tensor, mask_shape: tuple[int, ...]) -> Tensor:  # noqa: ARG002
        """The mask of the grid alone, ``(H, W)``."""
        return keep

    def drop(self, features: Tensor, keep: Tensor) -> Tensor:
        """Take the grid out of the tokens, apply the mask to it as a map, and put it back."""
        tokens = features.reshape(features.shape[0], -1, features.shape[-1])
        grid = tokens[:, self.others :].transpose(1, 2).reshape(tokens.shape[0], -1, self.rows, self.columns)
        dropped = super().drop(grid, keep).flatten(2).transpose(1, 2)
        return torch.cat([tokens[:, : self.others], dropped], dim=1).reshape(features.shape)


def drop_block_on(block: DropBlockRandomness, layout: FeatureLayout) -> MaskedRandomness:
    """DropBlock for an output of a layout: on a map as it is, on cells with their channels last, or dropout on a vector.

    Args:
        block: the constants.
        layout: of the output.
    """
    if layout.grid is None:
        return DropoutRandomness(block.drop_prob)
    if layout.channel_dim == 1:
        return block
    return TokenDropBlockRandomness(block.drop_prob, block.block_size, *layout.grid, layout.others)
