# SPDX-License-Identifier: Apache-2.0
"""Detail, light and lines in each tile of the frame itself, without the network: what a fault of a part of it changes there.

A spot of mud is smoother and browner than the road that it hides, a glare is white, dead lines differ from the lines beside
them. How strongly the layers of a network show that depends on what it was trained on; the picture shows it always.

They are of squares of 8 pixels, which :mod:`export.graphs.picture_features` transforms alike; no tile holds half a square.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor, nn

from export.graphs.picture_features import (
    SQUARE,
    continued,
    cosine_basis,
    log_powers,
    luma_thousandths,
)
from export.graphs.picture_spread import BANDS, FILLED_BANDS, GREY_LEVEL, LANES, LINE_FLOOR, filled_bands
from export.layers.channel_moments import MIN_DEVIATION

TILE_SQUARES = 1024
"""So many squares are read at most, where a row of squares in each row of tiles holds no more."""

Span = tuple[int, int]
"""The first of some squares side by side, and the one behind the last."""

NO_PADDING = (Fraction(0), Fraction(0))


def tile_spans(squares: int, tiles: int, added: Fraction) -> list[Span]:
    """The squares of each tile along one side of a picture.

    Args:
        squares: along the side, one at least.
        tiles: into which the side and what is added to it are divided.
        added: rows or columns that padding adds, as a share of the side.

    Returns:
        One square or more for each tile: that where the tile begins, or the last one, where it holds none of its own.
    """
    edges = [int(tile * squares * (1 + added) / tiles) for tile in range(tiles + 1)]
    starts = [min(edge, squares - 1) for edge in edges[:-1]]
    return [(start, min(max(edge, start + 1), squares)) for start, edge in zip(starts, edges[1:], strict=True)]


def tile_rows(squares: int, across: int, tiles: int, added: Fraction) -> list[list[int]]:
    """The rows of squares that are read in each row of tiles: all of them, or every second, third, ...

    Args:
        squares: rows of them.
        across: squares in a row.
        tiles: rows of them.
        added: rows that padding adds, as a share of the picture's.
    """
    most = max(1, TILE_SQUARES // (across * tiles))
    return [list(range(start, stop, -(-(stop - start) // most))) for start, stop in tile_spans(squares, tiles, added)]


class PictureTiles(nn.Module):
    """Numbers of each tile of a batch of pictures.

    ``(B, 3, H, W)`` float32 RGB in [0, 255] of any fixed size to ``(B, R * Q * D)`` float32, tile by tile along rows, D = 104
    of each. With the mean ``b`` over a band's coefficients of the logarithms of the power in a square, these are:

    - of the squares of the tile, 21 means and 21 standard deviations of ``b``, 21 times ``-log(mean exp(-b))``, which the
      flattest squares decide, and 21 times ``log(mean exp(b))``, the busiest;
    - means of R, G and B, and the logarithms of their standard deviations; the least and the largest value of each;
    - shares of the neighbours beside, then below each other in a square, of equal luma; of less than one grey level between;
    - ``log(0.1 + d)`` of the largest, then the mean distance of the mean of a row of pixels of the tile from those above and
      below it, in grey levels; of a column from those beside it; rows and columns at the rim of squares left out.

    Args:
        rows: R, of tiles.
        columns: Q, of tiles.
        added: rows and columns that padding adds to the picture, as shares of it.
    """

    basis: Tensor
    thousandth: Tensor
    bands: Tensor

    def __init__(self, rows: int, columns: int, added: tuple[Fraction, Fraction] = NO_PADDING) -> None:
        super().__init__()
        self.rows, self.columns, self.added = rows, columns, added
        self.register_buffer("basis", torch.from_numpy(cosine_basis()), persistent=False)
        self.register_buffer("thousandth", torch.from_numpy(cosine_basis() / GREY_LEVEL), persistent=False)
        self.register_buffer("bands", filled_bands(), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Read squares of every tile."""
        pixels = continued(pixels)
        down, across = (int(size) // SQUARE for size in pixels.shape[2:])
        rows = tile_rows(down, across, self.rows, self.added[0])
        over = _OverTiles(rows, tile_spans(across, self.columns, self.added[1]), across)
        lines = [SQUARE * row + i for some in rows for row in some for i in range(SQUARE)]
        read = pixels.index_select(2, torch.tensor(lines, device=pixels.device))[..., : SQUARE * across]
        grid = read.reshape(-1, 3, len(lines) // SQUARE, SQUARE, SQUARE * across)
        luma = luma_thousandths(grid)
        parts = [self._detail(luma, over), *_colours(grid, over), _alike(luma, over), _lines(luma, over)]
        return torch.cat(parts, dim=3).flatten(1)

    def _detail(self, luma: Tensor, over: "_OverTiles") -> Tensor:
        """Mean, deviation, flattest and busiest of the bands, ``(B, R, Q, 84)``."""
        power = log_powers(luma, self.thousandth, self.basis).permute(0, 1, 3, 2, 4).flatten(3)
        bands = torch.matmul(power.double(), self.bands)
        each = torch.cat([bands, bands * bands, (-bands).exp(), bands.exp()], dim=3)
        mean, square, flat, busy = torch.split(over.mean(each), FILLED_BANDS, dim=3)
        deviation = (square - mean * mean).clamp(min=0).sqrt()
        logs = torch.cat([flat, busy], dim=3).log()
        flattest, busiest = -logs[..., :BANDS], logs[..., FILLED_BANDS : FILLED_BANDS + BANDS]
        return torch.cat([mean[..., :BANDS], deviation[..., :BANDS], flattest, busiest], dim=3).float()


class _OverTiles:
    """Takes numbers of squares ``(B, rows of squares, squares in a row, D)`` together in each tile: ``(B, R, Q, D)``.

    Args:
        rows: of squares that are read in each row of tiles.
        columns: the squares of each column of tiles.
        across: squares in a row.
    """

    def __init__(self, rows: Sequence[Sequence[int]], columns: Sequence[Span], across: int) -> None:
        starts = [sum(map(len, rows[:place])) for place in range(len(rows) + 1)]
        self._rows, self._columns = list(pairwise(starts)), list(columns)
        self._down, self._across = _members(self._rows, starts[-1]), _members(self._columns, across)
        self._heights, self._widths = self._down.sum(dim=1).view(-1, 1, 1), self._across.sum(dim=1).view(-1, 1)

    def mean(self, values: Tensor) -> Tensor:
        """Means of float64 numbers in each tile; those of whole numbers are rounded once."""
        return torch.matmul(self._across, self._sums_down(values)) / (self._heights * self._widths)

    def mean_down(self, values: Tensor) -> Tensor:
        """Means of each column of squares in each row of tiles."""
        return self._sums_down(values) / self._heights

    def mean_across(self, values: Tensor) -> Tensor:
        """Means of each row of squares in each column of tiles."""
        return torch.matmul(self._across, values) / self._widths

    def _sums_down(self, values: Tensor) -> Tensor:
        count, across, width = (int(size) for size in values.shape[1:])
        sums = torch.matmul(self._down, values.reshape(-1, count, across * width))
        return sums.reshape(-1, len(self._rows), across, width)

    def largest(self, values: Tensor) -> Tensor:
        """The largest of each tile."""
        return self.largest_across(self.largest_down(values))

    def largest_down(self, values: Tensor) -> Tensor:
        """The largest of each column of squares in each row of tiles."""
        return _largest(values, 1, self._rows)

    def largest_across(self, values: Tensor) -> Tensor:
        """The largest of each row of squares in each column of tiles."""
        return _largest(values, 2, self._columns)


def _divided(values: Tensor, dim: int, length: int = SQUARE) -> Tensor:
    """Values of which a dimension is divided into parts of a length, which come as a dimension behind it."""
    before, size, after = values.shape[1:dim], int(values.shape[dim]), values.shape[dim + 1 :]
    return values.reshape(-1, *map(int, before), size // length, length, *map(int, after))


def _members(spans: Sequence[Span], squares: int) -> Tensor:
    """Which squares are of which tile, ``(tiles, squares)``: 1 or 0, float64."""
    places = torch.arange(squares)
    return torch.stack([(places >= start) & (places < stop) for start, stop in spans]).double()


def _largest(values: Tensor, dim: int, spans: Sequence[Span]) -> Tensor:
    """The largest of each span of a dimension; shorter ones are filled up with their last."""
    longest = max(stop - start for start, stop in spans)
    places = [min(place, stop - 1) for start, stop in spans for place in range(start, start + longest)]
    chosen = values.index_select(dim, torch.tensor(places, device=values.device))
    return _divided(chosen, dim, longest).amax(dim=dim + 1)


def _colours(grid: Tensor, over: _OverTiles) -> list[Tensor]:
    """Means, log deviations, least and largest values of R, G and B: ``(B, R, Q, 3)`` each."""
    lines = torch.stack([grid.sum(dim=3), (grid * grid).sum(dim=3)], dim=1)
    sums = _divided(lines, 4).sum(dim=5).flatten(1, 2)  # whole numbers below 2^24: exact in float32
    mean, square = torch.split(over.mean(sums.permute(0, 2, 3, 1).double()) / SQUARE**2, 3, dim=3)
    variance = (square - mean * mean).clamp(min=MIN_DEVIATION**2)
    logs = torch.cat([variance] * LANES, dim=3).log()[..., :3] / 2  # filled up to the lanes
    ends = _divided(torch.cat([-grid.amin(dim=3), grid.amax(dim=3)], dim=1), 3).amax(dim=4)
    extremes = over.largest(ends.permute(0, 2, 3, 1))
    return [mean.float(), logs.float(), -extremes[..., :3], extremes[..., 3:]]


def _alike(luma: Tensor, over: _OverTiles) -> Tensor:
    """Shares of neighbours in squares that are alike, ``(B, R, Q, 4)``."""
    squares = _divided(luma, 3)
    beside = (squares[..., 1:] - squares[..., :-1]).abs()
    below = (squares[:, :, 1:] - squares[:, :, :-1]).abs()
    alike = (beside < 1, below < 1, beside < GREY_LEVEL, below < GREY_LEVEL)
    counts = torch.stack([each.float().sum(dim=2).sum(dim=3) for each in alike], dim=3)
    return (over.mean(counts.double()) / (SQUARE * (SQUARE - 1))).float()


def _lines(luma: Tensor, over: _OverTiles) -> Tensor:
    """Largest and mean distance of rows, then of columns, from those beside them, as logarithms: ``(B, R, Q, 4)``."""
    squares = _divided(luma, 3)
    rows = squares.sum(dim=4).permute(0, 1, 3, 2).double()  # of whole numbers below 2^24, as are those of columns
    of_rows = _from_neighbours(over.mean_across(rows))
    of_columns = _from_neighbours(over.mean_down(squares.sum(dim=2).double()))
    found = [
        over.largest_down(of_rows.amax(dim=3, keepdim=True)),
        over.mean_down(of_rows).mean(dim=3, keepdim=True),
        over.largest_across(of_columns.amax(dim=3, keepdim=True)),
        over.mean_across(of_columns).mean(dim=3, keepdim=True),
    ]
    filled = torch.cat([*found, *found], dim=3) / (SQUARE * GREY_LEVEL) + LINE_FLOOR
    return filled.log()[..., :4].float()


def _from_neighbours(means: Tensor) -> Tensor:
    """Distance of each mean but the outermost, ``(..., 8)``, from the mean of the two beside it: ``(..., 6)``."""
    return (means[..., 1:-1] - (means[..., 2:] + means[..., :-2]) / 2).abs()
