# SPDX-License-Identifier: Apache-2.0
"""The interval of the expected quality by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.answers.perceptron import fit_perceptron
from export.answers.quality import (
    FittedQuality,
    conformal_factor,
    error_size,
    fit_error,
    fit_factors,
    inside,
)


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


def test_interval_covers_new_frames_as_often_as_it_states_in_simulation() -> None:
    """Errors that grow with novelty and loss, skewed: the mean coverage of new frames is that asked for."""
    rng, shares = np.random.default_rng(0), []
    for _ in range(200):
        expected, novelty = rng.uniform(0.2, 1, 400), rng.uniform(0.5, 3, 400)
        truth = expected + (0.02 + 0.1 * (1 - expected) + 0.03 * novelty) * (rng.gamma(2, 1, 400) - 2)
        known, new = slice(0, 200), slice(200, 400)
        size = error_size(expected, novelty, fit_error(expected[:200], novelty[:200], truth[:200]))
        kind = np.array(["none"] * 200)
        below, above = fit_factors(expected[known], size[known], truth[known], kind, 0.9, 0.0)
        shares.append(inside((truth[new] - expected[new]) / size[new], below, above).mean())
    assert 0.9 - 0.01 < np.mean(shares) < 0.93


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.95))
def test_fit_factors_covers_every_kind_as_asked(seed: int, of_a_kind: float) -> None:
    rng = np.random.default_rng(seed)
    kind = np.repeat(["fog", "mud", "rain"], 50)
    truth = rng.normal(size=150) * np.repeat([0.1, 0.3, 2.0], 50)
    nothing, one = np.zeros(150), np.ones(150)
    below, above = fit_factors(nothing, one, truth, kind, 0.8, of_a_kind)
    covered = [inside(truth[kind == name], below, above).mean() for name in ("fog", "mud", "rain")]
    assert min(covered) >= of_a_kind
    assert np.mean(covered) >= 0.8


def test_fit_factors_of_few_frames_is_refused_with_the_number_it_needs() -> None:
    few = np.linspace(0, 1, 12)
    with pytest.raises(ValueError, match="expected at least 19 frames, got 12"):
        fit_factors(few, np.ones(12), few, np.array(["none"] * 12), 0.9, 0.8)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_quality_ends_stand_in_order_within_nought_and_one_and_widen_with_novelty(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(30, 4))
    model = fit_perceptron(columns, rng.random(30), (4,), (True,))
    fitted = FittedQuality(model, np.array([0.02, 0.1, 0.05]), *rng.uniform(0, 3, 2))
    near, far = (fitted(columns, np.full(30, novelty)) for novelty in (1.0, 4.0))
    for expected, low, high in (near.T, far.T):
        assert ((low >= 0) & (low <= expected) & (expected <= high) & (high <= 1)).all()
    assert (far[:, 1] <= near[:, 1]).all()
    assert (far[:, 2] >= near[:, 2]).all()
