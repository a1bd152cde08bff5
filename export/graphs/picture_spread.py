# SPDX-License-Identifier: Apache-2.0
"""How detail and light spread over the frame itself, without the network: what a fault of a part of it changes.

The means of :mod:`export.graphs.picture_features` hardly show a covered corner, a few dead lines or a clipped highlight. The
flattest and the busiest squares show them, and so do the darkest and the brightest pixel, the share of pixels that equal
their neighbour, and the lines whose mean stands out from the lines beside them.
"""

import torch
from torch import Tensor, nn

from export.graphs.picture_features import (
    GRID_OFFSETS,
    SQUARE,
    continued,
    cosine_basis,
    frequency_bands,
    log_powers,
    luma_thousandths,
    squares,
)

GREY_LEVEL = 1000
"""One grey level, in thousandths."""

LINE_FLOOR = 0.1
"""Added to a line's distance from the lines beside it, in grey levels."""

BANDS = 21
LANES = 8
FILLED_BANDS = -(-BANDS // LANES) * LANES
"""Rows of numbers begin at a multiple of the lanes: ONNX Runtime takes exponentials and logarithms several at a time, and the
rest of a tensor one by one, with other last bits."""


def filled_bands() -> Tensor:
    """The weights of :func:`~export.graphs.picture_features.frequency_bands` beside columns of 0, ``(64, 24)`` float64."""
    filled = torch.zeros(SQUARE**2, FILLED_BANDS, dtype=torch.float64)
    filled[:, :BANDS] = torch.from_numpy(frequency_bands())
    return filled


class PictureSpread(nn.Module):
    """Spread of detail and light over a batch of pictures.

    ``(B, 3, H, W)`` float32 RGB in [0, 255] of any fixed size to ``(B, 77)`` float32, of the squares of the first grid that
    :class:`~export.graphs.picture_features.PictureFeatures` reads. With the mean ``b`` over a band's coefficients of the
    logarithms of the power in a square:

    - 21 standard deviations of ``b`` over the squares;
    - 21 times ``-log(mean exp(-b))``, which the flattest squares decide, and 21 times ``log(mean exp(b))``, the busiest;
    - the least and the largest value of R, G and B;
    - shares of the neighbours beside, then below each other, of equal luma; of less than one grey level between them;
    - ``log(0.1 + d)`` of the largest, then the mean distance of the mean of a row of pixels from those above and below it, in
      grey levels; of a column from those beside it.
    """

    basis: Tensor
    thousandth: Tensor
    bands: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("basis", torch.from_numpy(cosine_basis()), persistent=False)
        self.register_buffer("thousandth", torch.from_numpy(cosine_basis() / GREY_LEVEL), persistent=False)
        self.register_buffer("bands", filled_bands(), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Read the squares of the first grid."""
        grid = squares(continued(pixels), GRID_OFFSETS[0])
        luma = luma_thousandths(grid)
        power = log_powers(luma, self.thousandth, self.basis).permute(0, 1, 3, 2, 4).flatten(3).flatten(1, 2)
        bands = torch.matmul(power.double(), self.bands).transpose(1, 2)
        around = bands - bands.mean(dim=2, keepdim=True)
        deviation = (around * around).mean(dim=2).sqrt()
        flattest, busiest = (-bands).exp().mean(dim=2), bands.exp().mean(dim=2)
        lines = self._lines(luma.double() / GREY_LEVEL)
        logs = torch.cat([flattest, busiest, lines, lines], dim=1).log()
        values = grid.flatten(2)
        return torch.cat(
            [
                deviation[:, :BANDS].float(),
                -logs[:, :BANDS].float(),
                logs[:, FILLED_BANDS : FILLED_BANDS + BANDS].float(),
                values.amin(dim=2),
                values.amax(dim=2),
                self._shares(luma),
                logs[:, 2 * FILLED_BANDS : 2 * FILLED_BANDS + 4].float(),
            ],
            dim=1,
        )

    def _shares(self, luma: Tensor) -> Tensor:
        """Shares of neighbours that are alike, ``(B, 4)``."""
        beside = (luma[..., 1:] - luma[..., :-1]).abs().flatten(1)
        below = (luma[:, :, 1:] - luma[:, :, :-1]).abs().flatten(1)
        alike = (beside < 1, below < 1, beside < GREY_LEVEL, below < GREY_LEVEL)
        return torch.stack([each.float().mean(dim=1) for each in alike], dim=1)

    def _lines(self, luma: Tensor) -> Tensor:
        """Largest and mean distance of rows, then of columns, from those beside them, ``(B, 4)``, with the floor added."""
        rows, columns = luma.mean(dim=3), luma.mean(dim=(1, 2))
        found = []
        for means in (rows, columns.unsqueeze(1)):
            distance = (means[..., 1:-1] - (means[..., 2:] + means[..., :-2]) / 2).abs().flatten(1)
            found += [distance.amax(dim=1), distance.mean(dim=1)]
        return torch.stack(found, dim=1) + LINE_FLOOR
