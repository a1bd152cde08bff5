# SPDX-License-Identifier: Apache-2.0
"""How abnormal each tile of a frame is, by moments of the early layers: linear discriminant analysis of patches.

The numbers of a tile are standardised by the same tile of clean frames, since a road lies below and a sky above; beside them
stand their means over all tiles, so that a fog on the whole frame can be told from a stain in one place. Clean tiles and
those under each filling of a patch (``export/anomalies/patches.py``) are one Gaussian each, with one covariance. With the log
densities ``l_k`` the abnormality of a tile is ``log(1 + sum_k exp(l_k - l_clean) / K)`` over K fillings, 0 or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from export.answers.columns import Rows, Values
from export.features.key import FeatureKey, FeatureKind

RIDGE = 0.05
"""Share of the covariance that is replaced by its diagonal."""

COVERED = 0.4
"""Share of a tile that a patch covers, from which on the tile is one under a patch."""

_LOW, _HIGH = 0.16, 0.84
_SMALLEST_SCALE = 0.01
"""Least scale of a number: a channel that is all but constant must not be blown up."""

_LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class FittedTiles:
    """What tells clean tiles from patched ones.

    Attributes:
        keys: of the moments that are read, side by side in this order; all of one grid.
        widths: numbers of a tile of each.
        centre: ``(T, D)`` median of each number of each of T tiles of clean frames.
        scale: ``(D,)``, above 0; numbers are standardised by both and compressed by asinh.
        slopes: ``(2 D, K)`` of a tile's own numbers, then of their means over all tiles, for each of K fillings.
        offsets: ``(K,)``; ``numbers slopes + offsets`` is ``l_k - l_clean - log K``.
    """

    keys: tuple[FeatureKey, ...]
    widths: tuple[int, ...]
    centre: Rows
    scale: Rows
    slopes: Rows
    offsets: Rows

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return grid_of(self.keys)

    def abnormality(self, values: Values) -> Rows:
        """How abnormal each tile of N frames is, ``(N, R, Q)``, 0 or more; NaN where a number of the frame is not finite."""
        numbers = _with_means(_standardised(values, self.keys, self.centre, self.scale))
        odds = numbers @ self.slopes + self.offsets
        largest = np.maximum(odds.max(axis=2, keepdims=True), 0)
        total = np.exp(odds - largest).sum(axis=2) + np.exp(-largest[..., 0])
        result: Rows = largest[..., 0] + np.log(total)
        return result.reshape(len(result), *self.grid)


def tile_keys(keys: Sequence[FeatureKey]) -> tuple[FeatureKey, ...]:
    """The keys of moments tile by tile."""
    return tuple(key for key in keys if key.kind is FeatureKind.TILES)


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
    values: Values, keys: Sequence[FeatureKey], cover: NDArray[np.float64], filling: NDArray[np.str_]
) -> FittedTiles:
    """Fit the Gaussians.

    Args:
        values: of N frames, finite.
        keys: of the moments that are read.
        cover: ``(N, R, Q)`` share of each tile that a patch covers.
        filling: ``(N,)`` of the patch; empty for clean frames, of which there is one at least.

    Raises:
        ValueError: no tile is under a patch.
    """
    numbers, clean = _of_tiles(values, keys), filling == ""
    centre = np.median(numbers[clean], axis=0)
    low, high = np.quantile(numbers[clean] - centre, [_LOW, _HIGH], axis=(0, 1))
    scale = np.maximum((high - low) / 2, _SMALLEST_SCALE)
    columns = _with_means(_standardised(values, keys, centre, scale))
    under = cover.reshape(len(cover), -1) >= COVERED
    groups = [columns[clean].reshape(-1, columns.shape[2])]
    groups += [columns[own][under[own]] for own in (filling == name for name in np.unique(filling[~clean]))]
    groups = [group for group in groups if len(group)]
    if len(groups) < 2:
        raise ValueError("expected tiles under patches, got none: patch more frames")
    means = np.array([group.mean(axis=0) for group in groups])
    covariance = np.zeros((columns.shape[2],) * 2)
    for group, mean in zip(groups, means, strict=True):
        covariance += (group - mean).T @ (group - mean)
    covariance /= sum(map(len, groups))
    variances = np.maximum(covariance.diagonal(), _LEAST_VARIANCE)
    covariance = (1 - RIDGE) * covariance + np.diag(RIDGE * variances + _LEAST_VARIANCE)
    solved = cho_solve(cho_factor(covariance), means.T)
    offsets = -(means * solved.T).sum(axis=1) / 2
    return FittedTiles(
        tuple(keys),
        tuple(values[key].shape[1] // len(centre) for key in keys),
        centre,
        scale,
        solved[:, 1:] - solved[:, :1],
        offsets[1:] - offsets[0] - np.log(len(groups) - 1),
    )


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
