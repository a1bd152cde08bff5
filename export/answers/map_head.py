# SPDX-License-Identifier: Apache-2.0
"""Fit the linear head of an anomaly map to cells under pasted objects and to others, by logistic regression.

Only a sample of the cells is kept, so that memory is bounded. Each number is standardised by the cells without an object;
the weights of the fit hold the standardisation, so that the head is one product with the features as they are.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from export.answers.maps import MapHead, as_maps, grid_of_map, neighbours
from export.features.key import FeatureKey, FeatureKind
from export.frames.evenly_spaced import evenly_spaced

CHANNELS = 192
"""Of a layer that a head reads, at most: evenly spaced ones of more."""

PENALTY = 0.015
"""Half of the weights' squared length is added so many times to the mean loss of a cell."""

_ITERATIONS = 50
_LEAST_DEVIATION = 1e-6

Layers = tuple[FeatureKey, ...]
"""What a head reads beside the logits."""


@dataclass(frozen=True, eq=False)
class CellSample:
    """M cells of frames.

    Attributes:
        numbers: ``(M, C)`` float32 of each map, of the channels of :func:`read_channels`, enlarged to the grid of the logits.
        unknown: ``(M,)``: which lie under an object.
    """

    numbers: Mapping[FeatureKey, NDArray[np.float32]]
    unknown: NDArray[np.bool_]


def layer_choices(keys: Sequence[FeatureKey]) -> tuple[Layers, ...]:
    """What heads may read beside the logits: nothing, each layer, two of them, or all.

    Args:
        keys: of maps; those of layers count.
    """
    layers = tuple(key for key in keys if key.kind is FeatureKind.FEATURE_MAP)
    some = [chosen for count in range(3) for chosen in itertools.combinations(layers, count)]
    return tuple(dict.fromkeys([*some, layers]))


def read_channels(count: int) -> NDArray[np.int64]:
    """The channels that are read of so many."""
    return evenly_spaced(np.arange(count), CHANNELS)


def cells_of(
    values: Mapping[FeatureKey, NDArray[np.floating]], grid: tuple[int, int], chosen: NDArray[np.int64]
) -> dict[FeatureKey, NDArray[np.float32]]:
    """Numbers ``(M, C)`` of some cells of a frame, bilinear where a map is smaller than the grid.

    Args:
        values: ``(D,)`` of each map.
        grid: of the logits.
        chosen: ``(M,)`` cells, counted row by row.
    """
    rows, columns = np.unravel_index(chosen, grid)
    found = {}
    for key, row in values.items():
        maps = as_maps(np.asarray(row)[None], key)[0]
        maps = maps[read_channels(len(maps))]
        height, width = grid_of_map(key)
        low, high, share = (part[rows] for part in neighbours(height, grid[0]))
        left, right, across = (part[columns] for part in neighbours(width, grid[1]))
        above = maps[:, low, left] * (1 - across) + maps[:, low, right] * across
        below = maps[:, high, left] * (1 - across) + maps[:, high, right] * across
        found[key] = (above * (1 - share) + below * share).T.astype(np.float32)
    return found


def fit_head(sample: CellSample, logits: FeatureKey, layers: Layers, channels: Mapping[FeatureKey, int]) -> MapHead:
    """Fit a head.

    Args:
        sample: cells, some of which lie under an object and some do not.
        logits: key of their map.
        layers: that are read as well.
        channels: of each map; those that are not read have the weight 0.
    """
    keys = (logits, *layers)
    numbers = np.concatenate([sample.numbers[key] for key in keys], axis=1, dtype=np.float64)
    centre = numbers[~sample.unknown].mean(axis=0)
    scale = np.maximum(numbers[~sample.unknown].std(axis=0), _LEAST_DEVIATION)
    numbers -= centre
    numbers /= scale
    strength = 1 / (PENALTY * len(numbers))
    model = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=_ITERATIONS).fit(numbers, sample.unknown)
    slopes = model.coef_[0] / scale
    weights, start = {}, 0
    for key in keys:
        places = read_channels(channels[key])
        weights[key] = np.zeros(channels[key])
        weights[key][places] = slopes[start : start + len(places)]
        start += len(places)
    offset = float(model.intercept_[0] - slopes @ centre)
    return MapHead(weights[logits], {key: weights[key] for key in layers}, offset)
