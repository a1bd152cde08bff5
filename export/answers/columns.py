# SPDX-License-Identifier: Apache-2.0
"""Features side by side, each number standardised by clean frames and compressed.

``x = asinh((feature - centre) / scale)``, with the median of the clean frames and half the distance between their quantiles
0.16 and 0.84. Degradations move features by tens of such units; asinh is linear below one and logarithmic above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.features.key import FeatureKey
from export.frames.evenly_spaced import evenly_spaced

Rows = NDArray[np.float64]
Values = Mapping[FeatureKey, NDArray[np.floating]]
"""``(N, D)`` of each feature of N frames."""

_LOW, _HIGH = 0.16, 0.84
_RELATIVE_SCALE = 1e-3
"""Least scale, in units of the largest magnitude of the number: rounding of a constant must not be blown up."""

_SMALLEST_SCALE = 1e-9


@dataclass(frozen=True, eq=False)
class StandardisedColumns:
    """Numbers of features, standardised and compressed.

    Attributes:
        keys: of the features, side by side in this order.
        widths: numbers of each that are read.
        places: ``(D,)`` int64 of the numbers that are read, among those of all features side by side.
        centre: ``(D,)`` float64.
        scale: ``(D,)`` float64, above 0.
    """

    keys: tuple[FeatureKey, ...]
    widths: tuple[int, ...]
    places: NDArray[np.int64]
    centre: Rows
    scale: Rows

    def __call__(self, values: Values) -> Rows:
        """Columns ``(N, D)`` of N frames; NaN where a number is NaN or infinite."""
        rows = side_by_side(values, self.keys)[:, self.places]
        columns: Rows = np.arcsinh((rows - self.centre) / self.scale)
        return np.where(np.isfinite(columns), columns, np.nan)


def side_by_side(values: Values, keys: Sequence[FeatureKey]) -> Rows:
    """Features ``(N, D)`` float64 as they are."""
    return np.concatenate([np.asarray(values[key], np.float64) for key in keys], axis=1)


def fit_columns(values: Values, keys: Sequence[FeatureKey], clean: NDArray[np.bool_], most: int) -> StandardisedColumns:
    """Take centre and scale of each number from the clean frames.

    Args:
        values: of N frames, finite.
        keys: of the features that are wanted.
        clean: ``(N,)``, which frames are clean; at least one.
        most: numbers of a feature that are read, at most; of more evenly spaced ones, half of them means of channels and
            half deviations where the feature is the moments of a layer.
    """
    given = [values[key].shape[1] for key in keys]
    starts = np.cumsum([0, *given[:-1]])
    picked = [start + evenly_spaced(np.arange(width), most) for start, width in zip(starts, given, strict=True)]
    places = np.concatenate(picked)
    rows = side_by_side(values, keys)[:, places]
    low, centre, high = np.quantile(rows[clean], [_LOW, 0.5, _HIGH], axis=0)
    floor = np.maximum(_RELATIVE_SCALE * np.abs(rows).max(axis=0), _SMALLEST_SCALE)
    widths = tuple(len(part) for part in picked)
    return StandardisedColumns(tuple(keys), widths, places, centre, np.maximum((high - low) / 2, floor))
