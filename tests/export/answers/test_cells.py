# SPDX-License-Identifier: Apache-2.0
"""Gaussians of cells against scikit-learn's discriminant analysis and SciPy's Mahalanobis distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from export.answers import cells as module
from export.answers.cells import FittedCells, fit_cells

NAMES = ("none", "fog", "mud")


def drawn(seed: int, frames: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.int64]]:
    """Columns, kind and severity of frames, every cell among them."""
    rng = np.random.default_rng(seed)
    kinds, severity = [], []
    for i in range(frames):
        kinds.append(NAMES[i % 3])
        severity.append(0 if i % 3 == 0 else 1 + (i // 3) % 5)
    move = rng.normal(size=(3, columns))
    places = np.array([NAMES.index(kind) for kind in kinds])
    level = np.array(severity, np.int64)
    mixing = np.diag(rng.uniform(0.5, 3, columns)) + 0.2 * rng.normal(size=(columns, columns))
    rows = rng.normal(size=(frames, columns)) @ mixing + move[places] * level[:, None]
    return rows, np.array(kinds), level


def covariance(fitted: FittedCells) -> NDArray[np.float64]:
    """The shared covariance of a fit, by inverting what its distances are made of."""
    size = len(fitted.spread)
    inverse = fitted.precision * np.eye(size) - fitted.directions @ fitted.directions.T
    return np.linalg.inv(inverse) * np.outer(fitted.spread, fitted.spread)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_cells_with_all_directions_give_the_probabilities_of_linear_discriminant_analysis(
    seed: int, columns: int
) -> None:
    rows, kind, severity = drawn(seed, 200, columns)
    fitted = fit_cells(rows, kind, severity, NAMES)
    cell = np.array([f"{NAMES.index(k)}{s}" for k, s in zip(kind, severity, strict=True)])
    count = len(np.unique(cell))
    reference = LinearDiscriminantAnalysis(solver="lsqr").fit(rows, cell)  # whose priors weigh the covariance too
    # scikit-learn divides the covariance by N, this by the degrees of freedom: a temperature of one stands for the other
    warmer = fitted.with_prior((len(rows) - count) / len(rows), 0.0)
    new = drawn(seed ^ 1, 30, columns)[0]
    shares = softmax(reference.predict_log_proba(new) - np.log(reference.priors_), axis=1)
    expected = np.stack([shares[:, [c[0] == str(i) for c in reference.classes_]].sum(axis=1) for i in range(3)], axis=1)
    np.testing.assert_allclose(warmer.causes(new), expected, atol=1e-6)
    levels = np.array([int(c[1]) for c in reference.classes_])
    np.testing.assert_allclose(warmer.severities(new), shares @ levels, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 9), st.integers(1, 8))
def test_novelty_of_cells_is_the_mahalanobis_distance_to_the_nearest(
    seed: int,
    columns: int,
    directions: int,
) -> None:
    rows, kind, severity = drawn(seed, 120, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DIRECTIONS", directions)
        fitted = fit_cells(rows, kind, severity, NAMES)
    inverse = np.linalg.inv(covariance(fitted))
    new = 3 * drawn(seed ^ 1, 12, columns)[0]
    expected = [
        min(mahalanobis(row, mean * fitted.spread, inverse) for mean in fitted.means) / np.sqrt(columns) for row in new
    ]
    np.testing.assert_allclose(fitted.novelty(new), expected, rtol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 9))
def test_novelty_of_cells_with_sizes_is_the_least_distance_in_units_of_its_cell(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    plain = fit_cells(*drawn(seed, 120, columns), NAMES)
    some = {cell: float(rng.uniform(0.2, 5)) for cell in plain.cells if rng.random() < 0.7}
    inverse = np.linalg.inv(covariance(plain))
    new = 3 * drawn(seed ^ 1, 12, columns)[0]
    expected = [
        min(
            mahalanobis(row, mean * plain.spread, inverse) / np.sqrt(columns * some.get(cell, 1.0))
            for cell, mean in zip(plain.cells, plain.means, strict=True)
        )
        for row in new
    ]
    np.testing.assert_allclose(plain.with_sizes(some).novelty(new), expected, rtol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_novelty_of_frames_like_those_of_the_fit_is_about_one(seed: int) -> None:
    rows, kind, severity = drawn(seed, 900, 8)
    own = fit_cells(rows, kind, severity, NAMES)
    assert 0.4 < float(np.median(own.novelty(rows))) < 1.2
    assert own.novelty(rows + 1e3).min() > 10


def test_causes_of_a_prior_for_none_grow_with_it() -> None:
    rows, kind, severity = drawn(0, 200, 3)
    fitted = fit_cells(rows, kind, severity, NAMES)
    shares = [fitted.with_prior(2.0, none).causes(rows)[:, 0] for none in (-2.0, 0.0, 3.0)]
    assert (shares[0] < shares[1]).all()
    assert (shares[1] < shares[2]).all()


def test_causes_of_a_kind_without_frames_have_no_probability() -> None:
    rows, kind, severity = drawn(0, 200, 3)
    fitted = fit_cells(rows, kind, severity, (*NAMES, "snow"))
    assert fitted.causes(rows).shape == (200, 4)
    assert (fitted.causes(rows)[:, 3] == 0).all()


def test_fit_cells_of_no_more_frames_than_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="expected more frames than cells, got 3 and 3"):
        fit_cells(np.eye(3), np.array(["none", "fog", "mud"]), np.array([0, 1, 1]), NAMES)
