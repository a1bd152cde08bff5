# SPDX-License-Identifier: Apache-2.0
"""The expected quality against scikit-learn's ridges on the same hidden layer, and on laws that no line follows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from export.answers.perceptron import HIDDEN, HIDDEN_PENALTY, LEAST_QUALITY, PENALTY, fit_perceptron, fit_ridge


def _mean_of_ridges(design: NDArray[np.float64], quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """By scikit-learn: the mean of a ridge of the quality and one of its log odds, by weights whose mean is 1."""
    line = Ridge(alpha=float(len(design))).fit(design, quality).predict(design)
    inner = np.minimum(np.maximum(quality, LEAST_QUALITY), 1 - LEAST_QUALITY)
    weights = inner - inner**2
    odds = Ridge(alpha=float(len(design))).fit(design, np.log(inner / (1 - inner)), weights / weights.mean())
    return np.asarray(np.clip(line, 0, 1) + 1 / (1 + np.exp(-odds.predict(design)))) / 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_fit_perceptron_of_drawn_rows_is_scikit_learns_ridge_of_units_and_columns(
    seed: int, frames: int, widths: list[int], data: st.DataObject
) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(widths), max_size=len(widths)))
    rng = np.random.default_rng(seed)
    rows, quality = rng.normal(size=(frames, sum(widths))) + 1, rng.uniform(size=frames)
    model = fit_perceptron(rows, quality, widths, hidden)
    shares = np.concatenate([np.full(width, 1 / width) for width in widths])
    columns = rows * np.sqrt(shares / shares.mean() / PENALTY)
    units = np.maximum(rows[:, model.places] @ model.directions + model.thresholds, 0)
    design = np.concatenate([units / np.sqrt(HIDDEN_PENALTY * HIDDEN), columns], axis=1)
    np.testing.assert_allclose(model(rows), _mean_of_ridges(design, quality), rtol=1e-6, atol=1e-8)
    assert len(model.places) == sum(width for width, read in zip(widths, hidden, strict=True) if read)
    assert len(model.weights) == (HIDDEN if any(hidden) else 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 60), st.booleans())
def test_fit_ridge_of_more_or_fewer_rows_than_columns_is_scikit_learns(
    seed: int, frames: int, width: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows, quality, cost = rng.normal(size=(frames, width)) + 1, rng.random(frames), rng.uniform(0.01, 2, width)
    share = rng.uniform(0.1, 2, frames) if weighted else None
    weights, intercept = fit_ridge(rows, quality, cost, share)
    alpha = float(frames if share is None else share.sum())
    reference = Ridge(alpha=alpha).fit(rows / np.sqrt(cost), quality, share)
    np.testing.assert_allclose(weights, reference.coef_ / np.sqrt(cost), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(intercept, reference.intercept_, rtol=1e-7, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_fit_perceptron_of_a_feature_told_many_times_tells_the_same_as_of_one_told_once(seed: int, times: int) -> None:
    """A wide feature whose columns say the same has the weight, all in all, of one that stands beside another alone."""
    rng = np.random.default_rng(seed)
    one, other, quality = rng.normal(size=(40, 1)), rng.normal(size=(40, 1)), rng.uniform(size=40)
    wide_rows = np.concatenate([np.repeat(one, times, axis=1), other], axis=1)
    wide = fit_perceptron(wide_rows, quality, [times, 1], [False, False])
    design = np.concatenate([one, other], axis=1) / np.sqrt(PENALTY * 2 / (times + 1))
    np.testing.assert_allclose(wide(wide_rows), _mean_of_ridges(design, quality), rtol=1e-6, atol=1e-8)


def test_fit_perceptron_of_a_product_of_two_numbers_is_nearer_than_any_line() -> None:
    rng = np.random.default_rng(0)
    rows = rng.uniform(-2, 2, (900, 2))
    quality = 0.5 + 0.1 * rows[:, 0] * rows[:, 1]
    errors = [
        np.abs(fit_perceptron(rows[:600], quality[:600], [2], [hidden])(rows[600:]) - quality[600:]).mean()
        for hidden in (True, False)
    ]
    assert errors[0] < errors[1] / 3


def test_perceptron_of_nan_in_any_column_is_nan_in_that_row_alone() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 3))
    model = fit_perceptron(rows, rng.random(30), [2, 1], [True, False])
    rows[4, 0] = rows[7, 2] = np.nan
    assert np.flatnonzero(np.isnan(model(rows))).tolist() == [4, 7]
