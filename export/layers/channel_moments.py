# SPDX-License-Identifier: Apache-2.0
"""Moments of a layer's output: mean and log standard deviation of each channel over its map."""

import torch
from torch import Tensor

MIN_DEVIATION = 1e-5
"""Floor of a standard deviation, so that a constant channel, and every channel of one cell, has a finite logarithm."""

MANY_CELLS = 8192
"""Cells of a map from which on a layer's moments are taken of every second row and column (docs/concepts/features.md)."""

_EVERY = 16


def cell_stride(height: int, width: int) -> int:
    """Rows and columns from one to the next of a map's cells that a layer's moments are taken of: 1 or 2."""
    return 2 if height * width >= MANY_CELLS else 1


def channel_moments(features: Tensor) -> Tensor:
    """Mean of each channel over its map, then the logarithms of the standard deviations.

    Both are taken of the differences from a shift, the mean of every 16th row of a map, or of every 16th token::

        c = mean of these cells;  m = mean(x - c);  mean = c + m;  variance = mean((x - c)^2) - m^2

    These are a sixteenth of the cells or more, so ``|m|`` is at most ``sqrt(15)`` deviations whatever the map holds,
    and the difference loses at most a factor of 16 of float32's precision: an offset of the map costs nothing beyond
    the rounding of the map itself. ``mean(x^2) - mean(x)^2`` would lose all of it from offsets of some 1e3 deviations on,
    and two passes around ``mean(x)`` as much as the error of that mean.

    The form was chosen by its cost in ONNX Runtime on the CPU (benchmarks/NOTES.md).

    Args:
        features: ``(N, C, H, W)``, ``(N, T, C)`` or ``(N, C)`` float32.

    Returns:
        ``(N, 2 C)``; a channel of one cell has a deviation of ``MIN_DEVIATION``.
    """
    if features.dim() == 2:
        return torch.cat([features, torch.zeros_like(features) + _LOWEST], dim=1)
    if features.dim() == 4:
        over: tuple[int, ...] = (2, 3)
        some = features[:, :, ::_EVERY]
    else:
        over, some = (1,), features[:, ::_EVERY]
    shift = some.mean(dim=over, keepdim=True)
    difference = features - shift
    mean = difference.mean(dim=over)
    variance = (difference * difference).mean(dim=over) - mean * mean
    log_deviation = variance.clamp(min=MIN_DEVIATION**2).log() / 2
    return torch.cat([mean + shift.flatten(1), log_deviation], dim=1)


_LOWEST = float(torch.tensor(MIN_DEVIATION**2).log() / 2)
