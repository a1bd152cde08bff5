# SPDX-License-Identifier: Apache-2.0
"""A score of the output in torch, for TorchScript."""

from torch import Tensor, nn


class OutputScoreItself(nn.Module):
    """The one number of each row: ``(B, 1)`` float64 to ``(B,)`` float64."""

    def forward(self, rows: Tensor) -> Tensor:
        """Drop the axis."""
        return rows[:, 0]
