# SPDX-License-Identifier: Apache-2.0
"""Colours and fineness of detail of one picture in float64 by NumPy and SciPy, square by square."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from export.graphs.picture_features import GREY_POWER, GRID_OFFSETS, LUMA, SQUARE, square_rows

Doubles = NDArray[np.float64]

_FLOOR = 1e-5


def reference_picture(pixels: Doubles) -> Doubles:
    """The 48 numbers of ``export.graphs.picture_features.PictureFeatures`` of one picture ``(H, W, 3)`` RGB in [0, 255]."""
    least = SQUARE + max(GRID_OFFSETS)
    pixels = np.pad(pixels, [(0, max(0, least - size)) for size in pixels.shape[:2]] + [(0, 0)], mode="edge")
    height, width = pixels.shape[:2]
    across = (width - GRID_OFFSETS[0]) // SQUARE * SQUARE
    shown = np.concatenate([pixels[row : row + SQUARE, :across] for row in square_rows(height, width, GRID_OFFSETS[0])])
    colours = shown.reshape(-1, 3)
    deviations = np.maximum(colours.std(axis=0), _FLOOR)
    powers = [_band_powers(pixels @ LUMA / 1000, offset) for offset in GRID_OFFSETS]
    return np.concatenate([colours.mean(axis=0), np.log(deviations), *powers])


def picture_difference(got: Doubles, expected: Doubles) -> float:
    """Largest difference of two such vectors.

    Means are compared in units of the deviation, or of a grey level where that is more; logarithms as they are.
    """
    unit = np.maximum(np.exp(expected[3:6]), 1.0)
    return float(max((np.abs(got - expected)[:3] / unit).max(), np.abs(got - expected)[3:].max()))


def _band_powers(luma: Doubles, offset: int) -> Doubles:
    height, width = luma.shape
    lefts = range(offset, width - SQUARE + 1, SQUARE)
    squares = [
        dctn(luma[top : top + SQUARE, left : left + SQUARE], norm="ortho")
        for top in square_rows(height, width, offset)
        for left in lefts
    ]
    logs = np.log(np.square(squares) + GREY_POWER).mean(axis=0)
    frequencies = range(1, SQUARE)
    across, down = logs[0, 1:], logs[1:, 0]
    both = [np.concatenate([logs[k, 1:k], logs[1 : k + 1, k]]).mean() for k in frequencies]
    return np.concatenate([across, down, both])
