# SPDX-License-Identifier: Apache-2.0
"""Features of the frame itself, without the network: colours, and the fineness of its detail.

Layers may hardly show a blur or a compression that costs the network many pixels, and the picture shows it always
(docs/results/fused.md). The cosine transform of squares of 8 pixels is JPEG's own: compression sets fine coefficients to
zero where the coder's squares lie, and less so four pixels further on. Both grids are therefore read, and the logarithm is
taken of each coefficient of each square before the mean: that of a mean would be the strongest edges' alone.

No operation is a convolution, so that float16 and 8-bit networks have these features in float32; the transform is in float64,
which no GPU rounds to 10 bits as it may float32 (TF32).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from export.layers.channel_moments import channel_moments

SQUARE = 8
GRID_OFFSETS = (0, SQUARE // 2)
GRID_SQUARES = 640
"""So many squares of a grid are read at most, where a row of squares holds no more."""
GREY_POWER = 1 / 12
"""Variance of rounding to whole grey levels, which is added to the power of each coefficient."""
LUMA = (299, 587, 114)
"""Thousandths of R, G and B in the luma of BT.601: whole numbers, so that float32 holds a thousand times the luma exactly."""

_SMALLEST = SQUARE + max(GRID_OFFSETS)


def square_rows(height: int, width: int, offset: int) -> list[int]:
    """First pixel row of each row of squares that is read, from a frame of 12 x 12 pixels or more.

    All of them where they are ``GRID_SQUARES`` together, else every second, third, ...
    """
    down, across = ((size - offset) // SQUARE for size in (height, width))
    every = math.ceil(down / max(1, GRID_SQUARES // across))
    return [offset + SQUARE * row for row in range(0, down, every)]


def frequency_bands() -> NDArray[np.float64]:
    """Weights ``(64, 21)`` of the coefficients in the bands, those of a coefficient ``(row, column)`` at ``8 row + column``.

    Bands 0 to 6 hold detail from left to right, frequencies 1 to 7; bands 7 to 13 from top to bottom; bands 14 to 20 means
    over coefficients of both, by the higher of the two frequencies. The mean of the square is in none.
    """
    row, column = np.divmod(np.arange(SQUARE**2), SQUARE)
    group = np.where(row == 0, 0, np.where(column == 0, 1, 2))
    band = 7 * group + np.maximum(row, column) - 1
    member = (band[:, None] == np.arange(21)) & (row + column > 0)[:, None]
    weights: NDArray[np.float64] = member / member.sum(axis=0)
    return weights


def cosine_basis() -> NDArray[np.float64]:
    """Orthonormal DCT-II of 8 values, ``(8, 8)``: a frequency in each row."""
    frequency, position = np.arange(SQUARE)[:, None], np.arange(SQUARE)[None] + 0.5
    basis: NDArray[np.float64] = np.cos(np.pi / SQUARE * frequency * position) * np.sqrt(2 / SQUARE)
    basis[0] /= np.sqrt(2)
    return basis


def continued(pixels: Tensor) -> Tensor:
    """``(B, 3, H, W)`` pixels, a side below 12 of them continued by the last row or column."""
    below, beside = (max(0, _SMALLEST - int(size)) for size in pixels.shape[2:])
    return F.pad(pixels, (0, beside, 0, below), mode="replicate") if below or beside else pixels


def squares(pixels: Tensor, offset: int) -> Tensor:
    """Squares of a grid that are read, ``(B, 3, rows of squares, 8, 8 * squares in a row)``."""
    height, width = (int(size) for size in pixels.shape[2:])
    rows = [first + i for first in square_rows(height, width, offset) for i in range(SQUARE)]
    across = (width - offset) // SQUARE * SQUARE
    chosen = pixels.index_select(2, torch.tensor(rows, device=pixels.device))[..., offset : offset + across]
    return chosen.reshape(-1, 3, len(rows) // SQUARE, SQUARE, across)


def luma_thousandths(grid: Tensor) -> Tensor:
    """Luma ``(B, rows of squares, 8, 8 * squares in a row)`` of squares, in thousandths of a grey level: whole numbers."""
    red, green, blue = grid.unbind(dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def log_powers(luma: Tensor, thousandth: Tensor, basis: Tensor) -> Tensor:
    """Logarithms of the power ``(B, rows of squares, 8, squares in a row, 8)`` of the coefficients of each square."""
    upright = torch.matmul(thousandth, luma.double()).reshape(
        -1, luma.shape[1], SQUARE, luma.shape[3] // SQUARE, SQUARE
    )
    coefficients = torch.matmul(upright, basis.T).float()
    return (coefficients * coefficients + GREY_POWER).log()


class PictureFeatures(nn.Module):
    """Colours and fineness of detail of a batch of pictures.

    ``(B, 3, H, W)`` float32 RGB in [0, 255] of any fixed size to ``(B, 48)`` float32: means of R, G and B, logarithms of
    their standard deviations, and for each of the two grids the mean logarithms of the power in the 21 bands of
    :func:`frequency_bands`, of the luma of BT.601. A side below 12 pixels is continued by the last row or column.
    """

    basis: Tensor
    thousandth: Tensor
    bands: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("basis", torch.from_numpy(cosine_basis()), persistent=False)
        self.register_buffer("thousandth", torch.from_numpy(cosine_basis() / 1000), persistent=False)
        self.register_buffer("bands", torch.from_numpy(frequency_bands()), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Read the rows of squares of both grids."""
        pixels = continued(pixels)
        grids = [squares(pixels, offset) for offset in GRID_OFFSETS]
        colours = channel_moments(grids[0].flatten(2, 3))
        return torch.cat([colours, *map(self._powers, grids)], dim=1)

    def _powers(self, grid: Tensor) -> Tensor:
        """Mean logarithms of the power in the bands, ``(B, 21)``."""
        power = log_powers(luma_thousandths(grid), self.thousandth, self.basis).mean(dim=(1, 3)).flatten(1)
        return torch.matmul(power.double(), self.bands).float()
