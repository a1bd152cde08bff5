# SPDX-License-Identifier: Apache-2.0
"""The interval of the expected quality by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from export.answers.perceptron import fit_perceptron
from export.answers.quality import FittedQuality, conformal_factor, fit_reach, reach_of


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.1, 0.3]))
def test_conformal_factor_is_the_order_statistic_that_few_new_ones_exceed(seed: int, miss: float) -> None:
    ratios = np.random.default_rng(seed).normal(size=99) + 3
    factor = conformal_factor(ratios, miss)
    assert (ratios > factor).sum() == round(100 * miss) - 1


def test_conformal_factor_of_too_few_ratios_is_infinite_and_of_negative_ones_nought() -> None:
    assert conformal_factor(np.ones(18), 0.05) == np.inf
    assert conformal_factor(np.ones(19), 0.05) == 1
    assert conformal_factor(-np.ones(50), 0.05) == 0


def test_end_misses_new_frames_as_rarely_as_it_states_in_simulation() -> None:
    """Errors that grow with novelty and loss, skewed: the mean share of new frames beyond either end is that asked for."""
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        expected, novelty = rng.uniform(0.2, 1, 400), rng.uniform(0.5, 3, 400)
        error = (0.02 + 0.1 * (1 - expected) + 0.03 * novelty) * (rng.gamma(2, 1, 400) - 2)
        old, new, kind = slice(0, 200), slice(200, 400), np.array(["none"] * 200)
        for side in (error, -error):
            reach = fit_reach(side[old], expected[old], novelty[old], kind, 0.1, 0.5)
            shares.append((side[new] > reach_of(expected[new], novelty[new], reach)).mean())
    assert 0.08 < np.mean(shares[::2]) < 0.11
    assert 0.08 < np.mean(shares[1::2]) < 0.11


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.03, 0.5), st.floats(0.03, 0.9))
def test_end_is_the_nearest_in_its_direction_that_misses_no_kind_too_often(
    seed: int, miss: float, of_a_kind: float
) -> None:
    """A least-squares fit by scipy, moved in small steps until as many frames as asked lie within."""
    rng, n = np.random.default_rng(seed), 150
    kind = np.repeat(["fog", "mud", "rain"], n // 3)
    expected, novelty = rng.uniform(size=n), rng.uniform(0.5, 3, n)
    errors = rng.normal(size=n) * np.repeat([0.1, 0.3, 2.0], n // 3) + rng.normal() * 0.2
    reach = fit_reach(errors, expected, novelty, kind, miss, of_a_kind)
    beyond = errors > reach_of(expected, novelty, reach) + 1e-9
    assert (reach >= 0).all()
    assert max(beyond[kind == name].mean() for name in ("fog", "mud", "rain")) <= of_a_kind + 1e-9
    assert beyond.sum() <= miss * (n + 1)
    less = errors > reach_of(expected, novelty, reach * (1 - 1e-6)) - 1e-9
    too_many = [less[kind == name].mean() > of_a_kind for name in ("fog", "mud", "rain")]
    assert any(too_many) or less.sum() > miss * (n + 1) - 1 or not reach.any()
    design = np.column_stack([np.ones(n), 1 - expected, novelty])
    size = np.maximum(lsq_linear(design, np.maximum(errors, 0), (0, np.inf), tol=1e-14).x, [1e-3, 0, 0])
    np.testing.assert_allclose(reach * size.sum(), reach.sum() * size, atol=1e-6 * reach.sum())


def test_each_end_reaches_as_far_as_errors_to_its_side() -> None:
    """Frames far away are told as too good alone: the lower end falls with novelty, the upper one hardly rises."""
    rng = np.random.default_rng(0)
    expected, novelty, kind = rng.uniform(0.3, 0.9, 500), rng.uniform(1, 3, 500), np.array(["none"] * 500)
    error = np.where(rng.random(500) < 0.5, 0.02, -0.2 * (novelty - 1)) * rng.random(500)
    below, above = (fit_reach(side, expected, novelty, kind, 0.05, 0.1) for side in (-error, error))
    assert below[2] > 0.05
    assert reach_of(expected, novelty, above).max() < 0.03


def test_fit_reach_of_few_frames_is_refused_with_the_number_it_needs() -> None:
    few = np.linspace(0, 1, 12)
    with pytest.raises(ValueError, match="expected at least 19 frames, got 12"):
        fit_reach(few, few, few, np.array(["none"] * 12), 0.05, 0.2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_quality_ends_stand_in_order_within_nought_and_one_and_widen_with_novelty(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(30, 4))
    model = fit_perceptron(columns, rng.random(30), (4,), (True,))
    fitted = FittedQuality(model, *rng.uniform(0, 0.3, (2, 3)))
    near, far = (fitted(columns, np.full(30, novelty)) for novelty in (1.0, 4.0))
    for expected, low, high in (near.T, far.T):
        assert ((low >= 0) & (low <= expected) & (expected <= high) & (high <= 1)).all()
    assert (far[:, 1] <= near[:, 1]).all()
    assert (far[:, 2] >= near[:, 2]).all()
    lost = 1 - near[:, 0]
    for end, side, reach in ((1, -1, fitted.below), (2, 1, fitted.above)):
        by_hand = near[:, 0] + side * (reach[0] + lost * reach[1] + 1.0 * reach[2])
        np.testing.assert_allclose(near[:, end], np.clip(by_hand, 0, 1), atol=1e-12)
