# SPDX-License-Identifier: Apache-2.0
"""Greedy k-centre against a naive implementation, and against the best centres that brute force finds."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.preprocessing import StandardScaler

from lsood_runtime._select.k_centre import Distances, standardise


def greedy(points: NDArray[np.float32], count: int) -> list[int]:
    distances, chosen = Distances(points), [0]
    distances.add_centre(0)
    while len(chosen) < count:
        chosen.append(int(distances.to_nearest.argmax()))
        distances.add_centre(chosen[-1])
    return chosen


def radius(apart: NDArray[np.float64], centres: tuple[int, ...] | list[int]) -> float:
    return float(apart[:, list(centres)].min(axis=1).max())


@pytest.mark.parametrize("seed", range(8))
def test_greedy_centres_are_those_of_a_naive_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(int(rng.integers(20, 1500)), int(rng.integers(1, 9)))).astype(np.float32)
    apart = cdist(points.astype(np.float64), points.astype(np.float64))
    chosen = [0]
    while len(chosen) < 9:
        chosen.append(max(range(len(points)), key=lambda place: min(apart[place, centre] for centre in chosen)))
    assert greedy(points, 9) == chosen


@pytest.mark.parametrize("seed", range(12))
def test_radius_of_greedy_centres_is_at_most_twice_the_least(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(int(rng.integers(5, 11)), int(rng.integers(1, 4)))).astype(np.float32)
    apart = cdist(points.astype(np.float64), points.astype(np.float64))
    for count in (1, 2, 3, 4):
        least = min(radius(apart, centres) for centres in combinations(range(len(points)), count))
        assert radius(apart, greedy(points, count)) <= 2 * least + 1e-9


@pytest.mark.parametrize(("count", "width"), [(2, 1), (50, 7), (2500, 3)])
def test_standardised_features_are_those_of_sklearn(count: int, width: int) -> None:
    rng = np.random.default_rng(count)
    features = (rng.normal(size=(count, width)) * 10.0 ** rng.integers(-3, 4, width) + 5).astype(np.float32)
    expected = StandardScaler().fit_transform(features.astype(np.float64)) / np.sqrt(width)
    np.testing.assert_allclose(standardise(features), expected, atol=2e-6)


def test_features_that_do_not_vary_are_left_out() -> None:
    features = np.array([[1, 0, 5e6, 7], [1, 0, 5e6, 9]], np.float32)
    np.testing.assert_allclose(standardise(features), [[-1], [1]])
    assert standardise(features[:1]).shape == (1, 0)
