# SPDX-License-Identifier: Apache-2.0
"""The oracle for entropies: by hand where it can be, by true entropies where there are many points."""

import math

import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import multivariate_normal, uniform

from tests.kozachenko_leonenko import entropy_by_tree


def test_entropy_by_tree_of_three_numbers_is_what_the_formula_gives_by_hand() -> None:
    # Nearest neighbours of 0, 1 and 4 are 1, 1 and 3 away; digamma(3) - digamma(1) = 1 + 1/2.
    expected = 1.5 + (math.log(2) + math.log(2) + math.log(6)) / 3
    assert entropy_by_tree(np.array([0.0, 1.0, 4.0]), 1, 1e-5) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_entropy_by_tree_of_any_points_equals_the_sum_over_all_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(rng.integers(5, 30), rng.integers(1, 5)))
    points[1] = points[0]  # a distance at the floor
    k = int(rng.integers(1, len(points)))
    distances = np.sort(np.abs(points[:, None] - points[None]).max(axis=2), axis=1)[:, k]
    expected = digamma(len(points)) - digamma(k) + points.shape[1] * np.log(2 * np.maximum(distances, 1e-2)).mean()
    assert entropy_by_tree(points, k, 1e-2) == pytest.approx(expected, abs=1e-12)


def test_entropy_by_tree_of_many_points_approaches_the_true_entropy() -> None:
    rng = np.random.default_rng(0)
    assert entropy_by_tree(rng.uniform(0, 3, 20_000), 5, 1e-9) == pytest.approx(uniform(0, 3).entropy(), abs=0.02)
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    points = rng.multivariate_normal(np.zeros(2), covariance, 20_000)
    assert entropy_by_tree(points, 5, 1e-9) == pytest.approx(multivariate_normal(cov=covariance).entropy(), abs=0.03)
