# SPDX-License-Identifier: Apache-2.0
"""How abnormal each tile of a frame is: a perceptron that learnt to tell what covers a tile.

It reads moments of early layers, and detail, light and lines of the picture itself, which no network has to learn to see.

The numbers of a tile are standardised by the same tile of clean frames, since a road lies below and a sky above, which vary
less than what stands between them. Beside them stand their means over all tiles, so that a fog on the whole frame can be told
from a stain in one place. A perceptron of one hidden layer (:mod:`export.answers.tile_perceptron`) learns clean tiles against
those under a patch, by which is meant here a replaced part (``export/anomalies/patches.py``) or a local kind of degradation.
With its log odds ``m`` the abnormality of a tile is ``log(1 + exp(m))``, 0 or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.answers.columns import Rows, Values
from export.answers.tile_perceptron import TilePerceptron, train_perceptron
from export.features.key import FeatureKey

COVERED = 0.4
"""Share of a tile that a patch covers, from which on the tile is one under a patch."""

BESIDE = 0.02
"""Share of a tile below which a patch leaves it as it is; tiles covered between both are not learnt from."""

_LOW, _HIGH = 0.16, 0.84
_SMALLEST_SCALE = 0.01
"""Least scale of a number: a channel that is all but constant must not be blown up."""

_LEAST_SHARE = 0.3
"""Of the scale over all tiles, the least scale in one of them: few clean frames tell how much one tile varies."""


@dataclass(frozen=True, eq=False)
class FittedTiles:
    """What tells clean tiles from patched ones.

    Attributes:
        keys: of the moments that are read, side by side in this order; all of one grid.
        widths: numbers of a tile of each.
        centre: ``(T, D)`` median of each number of each of T tiles of clean frames.
        scale: ``(T, D)`` of each, above 0; numbers are standardised by both and compressed by asinh.
        perceptron: reads ``2 D`` numbers: a tile's own, then their means over all tiles.
    """

    keys: tuple[FeatureKey, ...]
    widths: tuple[int, ...]
    centre: Rows
    scale: Rows
    perceptron: TilePerceptron

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return grid_of(self.keys)

    def abnormality(self, values: Values) -> Rows:
        """How abnormal each tile of N frames is, ``(N, R, Q)``, 0 or more; NaN where a number of the frame is not finite."""
        numbers = _with_means(_standardised(values, self.keys, self.centre, self.scale))
        odds = self.perceptron(numbers.reshape(-1, numbers.shape[2]))
        result: Rows = np.maximum(odds, 0) + np.log1p(np.exp(-np.abs(odds)))
        return result.reshape(len(numbers), *self.grid)


def tile_keys(keys: Sequence[FeatureKey]) -> tuple[FeatureKey, ...]:
    """The keys of what is read tile by tile."""
    return tuple(key for key in keys if key.is_of_tiles)


def grid_of(keys: Sequence[FeatureKey]) -> tuple[int, int]:
    """Rows and columns of the tiles of keys that have one grid.

    Raises:
        ValueError: they have none, or several.
    """
    grids = {key.grid for key in keys}
    grid = next(iter(grids), None)
    if len(grids) != 1 or grid is None:
        raise ValueError(f"expected features of one grid of tiles, got {', '.join(map(str, keys)) or 'none'}")
    return grid


def fit_tiles(
    values: Values, keys: Sequence[FeatureKey], cover: NDArray[np.float64], clean: NDArray[np.bool_]
) -> FittedTiles:
    """Train the perceptron.

    Args:
        values: of N frames, finite.
        keys: of the moments that are read.
        cover: ``(N, R, Q)`` share of each tile that a patch covers.
        clean: ``(N,)`` which frames have no patch, one at least.

    Raises:
        ValueError: no tile is under a patch.
    """
    numbers, share = _of_tiles(values, keys), cover.reshape(len(cover), -1)
    centre = np.median(numbers[clean], axis=0)
    common, own = (_spread(numbers[clean] - centre, axis) for axis in ((0, 1), 0))
    scale = np.maximum(own, np.maximum(_LEAST_SHARE * common, _SMALLEST_SCALE))
    columns = _with_means(_standardised(values, keys, centre, scale))
    under = share >= COVERED
    if not under.any():
        raise ValueError("expected tiles under patches, got none: patch more frames")
    beside = (share < BESIDE) & ~clean[:, None]
    whole = columns[clean].reshape(-1, columns.shape[2])
    widths = tuple(values[key].shape[1] // len(centre) for key in keys)
    return FittedTiles(tuple(keys), widths, centre, scale, train_perceptron(whole, columns[beside], columns[under]))


def _spread(numbers: Rows, axis: int | tuple[int, ...]) -> Rows:
    """Half of the distance between two quantiles: of a normal distribution its deviation."""
    low, high = np.quantile(numbers, [_LOW, _HIGH], axis=axis)
    spread: Rows = (high - low) / 2
    return spread


def _of_tiles(values: Values, keys: Sequence[FeatureKey]) -> Rows:
    """Numbers ``(N, T, D)`` float64 of each tile of N frames."""
    rows, columns = grid_of(keys)
    parts = [np.asarray(values[key], np.float64).reshape(len(values[key]), rows * columns, -1) for key in keys]
    return np.concatenate(parts, axis=2)


def _standardised(values: Values, keys: Sequence[FeatureKey], centre: Rows, scale: Rows) -> Rows:
    columns: Rows = np.arcsinh((_of_tiles(values, keys) - centre) / scale)
    return np.where(np.isfinite(columns), columns, np.nan)


def _with_means(columns: Rows) -> Rows:
    """``(N, T, 2 D)``: the numbers of each tile, then their means over the frame's tiles."""
    means = np.broadcast_to(columns.mean(axis=1, keepdims=True), columns.shape)
    return np.concatenate([columns, means], axis=2)
