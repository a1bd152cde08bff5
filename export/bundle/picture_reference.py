# SPDX-License-Identifier: Apache-2.0
"""Colours, fineness and spread of detail of one picture in float64 by NumPy and SciPy, square by square."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.special import logsumexp

from export.graphs.picture_features import GREY_POWER, GRID_OFFSETS, LUMA, SQUARE, square_rows
from export.graphs.picture_spread import GREY_LEVEL, LINE_FLOOR
from export.graphs.picture_tiles import NO_PADDING, tile_rows, tile_spans

Doubles = NDArray[np.float64]

_FLOOR = 1e-5


def reference_picture(pixels: Doubles) -> Doubles:
    """The 48 numbers of ``export.graphs.picture_features.PictureFeatures`` of one picture ``(H, W, 3)`` RGB in [0, 255]."""
    pixels = _continued(pixels)
    shown = np.concatenate(_rows_of_squares(pixels))
    colours = shown.reshape(-1, 3)
    deviations = np.maximum(colours.std(axis=0), _FLOOR)
    powers = [_band_powers(pixels @ LUMA / 1000, offset) for offset in GRID_OFFSETS]
    return np.concatenate([colours.mean(axis=0), np.log(deviations), *powers])


def reference_picture_spread(pixels: Doubles) -> Doubles:
    """The 77 numbers of ``export.graphs.picture_spread.PictureSpread`` of one picture ``(H, W, 3)`` RGB in [0, 255]."""
    pixels = _continued(pixels)
    rows = _rows_of_squares(pixels)
    bands = np.stack([_bands(logs) for logs in _square_logs(pixels @ LUMA / GREY_LEVEL, GRID_OFFSETS[0])])
    values = np.concatenate(rows).reshape(-1, 3)
    luma = [row @ LUMA for row in rows]  # whole thousandths
    beside, below = (np.concatenate([np.abs(np.diff(row, axis=axis)).ravel() for row in luma]) for axis in (1, 0))
    shares = [np.mean(steps < limit) for limit in (1, GREY_LEVEL) for steps in (beside, below)]
    across = np.concatenate([_from_neighbours(row.mean(axis=1) / GREY_LEVEL) for row in luma])
    down = _from_neighbours(np.concatenate(luma).mean(axis=0) / GREY_LEVEL)
    lines = [np.log(LINE_FLOOR + number) for steps in (across, down) for number in (steps.max(), steps.mean())]
    return np.concatenate([bands.std(axis=0), *_extremes(bands), values.min(axis=0), values.max(axis=0), shares, lines])


def reference_picture_tiles(
    pixels: Doubles, rows: int, columns: int, added: tuple[Fraction, Fraction] = NO_PADDING
) -> Doubles:
    """The numbers of ``export.graphs.picture_tiles.PictureTiles`` of one picture ``(H, W, 3)`` RGB in [0, 255].

    Args:
        pixels: the picture.
        rows: of tiles.
        columns: of tiles.
        added: rows and columns that padding adds to the picture, as shares of it.
    """
    pixels = _continued(pixels)
    down, across = (size // SQUARE for size in pixels.shape[:2])
    found = []
    for chosen in tile_rows(down, across, rows, added[0]):
        for start, stop in tile_spans(across, columns, added[1]):
            tile = [pixels[SQUARE * row :, SQUARE * start : SQUARE * stop][:SQUARE] for row in chosen]
            found.append(_of_tile(np.stack(tile)))
    return np.concatenate(found)


def _of_tile(rows: Doubles) -> Doubles:
    """The numbers of one tile, of rows of squares ``(n, 8, 8 m, 3)``."""
    luma = rows @ LUMA  # whole thousandths
    logs = [each for row in luma for each in _square_logs(row / GREY_LEVEL, 0)]
    bands = np.stack([_bands(each) for each in logs])
    colours = rows.reshape(-1, 3)
    squares = luma.reshape(len(luma), SQUARE, -1, SQUARE)
    steps = [np.abs(np.diff(squares, axis=axis)) for axis in (3, 1)]
    shares = [np.mean(each < limit) for limit in (1, GREY_LEVEL) for each in steps]
    of_rows = _from_neighbours(luma.mean(axis=2).T)
    of_columns = _from_neighbours(squares.mean(axis=(0, 1)).T)
    lines = [np.log(LINE_FLOOR + each / GREY_LEVEL) for d in (of_rows, of_columns) for each in (d.max(), d.mean())]
    return np.concatenate(
        [
            bands.mean(axis=0),
            bands.std(axis=0),
            *_extremes(bands),
            colours.mean(axis=0),
            np.log(np.maximum(colours.std(axis=0), _FLOOR)),
            colours.min(axis=0),
            colours.max(axis=0),
            shares,
            lines,
        ]
    )


def _extremes(bands: Doubles) -> list[Doubles]:
    """Flattest and busiest of bands ``(squares, 21)``."""
    count = np.log(len(bands))
    return [count - logsumexp(-bands, axis=0), logsumexp(bands, axis=0) - count]


def picture_difference(got: Doubles, expected: Doubles) -> float:
    """Largest difference of two such vectors.

    Means are compared in units of the deviation, or of a grey level where that is more; logarithms as they are.
    """
    unit = np.maximum(np.exp(expected[3:6]), 1.0)
    return float(max((np.abs(got - expected)[:3] / unit).max(), np.abs(got - expected)[3:].max()))


def _continued(pixels: Doubles) -> Doubles:
    least = SQUARE + max(GRID_OFFSETS)
    return np.pad(pixels, [(0, max(0, least - size)) for size in pixels.shape[:2]] + [(0, 0)], mode="edge")


def _rows_of_squares(pixels: Doubles) -> list[Doubles]:
    """Rows of squares of the first grid that are read, ``(8, W, 3)`` each."""
    height, width = pixels.shape[:2]
    across = (width - GRID_OFFSETS[0]) // SQUARE * SQUARE
    return [pixels[row : row + SQUARE, :across] for row in square_rows(height, width, GRID_OFFSETS[0])]


def _square_logs(luma: Doubles, offset: int) -> list[Doubles]:
    """Logarithms of the power of the coefficients ``(8, 8)`` of each square."""
    height, width = luma.shape
    lefts = range(offset, width - SQUARE + 1, SQUARE)
    return [
        np.log(np.square(dctn(luma[top : top + SQUARE, left : left + SQUARE], norm="ortho")) + GREY_POWER)
        for top in square_rows(height, width, offset)
        for left in lefts
    ]


def _band_powers(luma: Doubles, offset: int) -> Doubles:
    return _bands(np.mean(_square_logs(luma, offset), axis=0))


def _bands(logs: Doubles) -> Doubles:
    """Means ``(21,)`` over the coefficients of each band."""
    frequencies = range(1, SQUARE)
    across, down = logs[0, 1:], logs[1:, 0]
    both = [np.concatenate([logs[k, 1:k], logs[1 : k + 1, k]]).mean() for k in frequencies]
    return np.concatenate([across, down, both])


def _from_neighbours(means: Doubles) -> Doubles:
    """Distance of each of some means from the mean of the two beside it."""
    return np.abs(means[1:-1] - (means[2:] + means[:-2]) / 2)
