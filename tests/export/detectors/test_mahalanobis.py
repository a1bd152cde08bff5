# SPDX-License-Identifier: Apache-2.0
"""Mahalanobis distances of wide and of normalised rows against scikit-learn's covariance, decomposed and inverted whole."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from export.detectors import leading_directions as module
from export.detectors.fit import fit_detector
from export.detectors.leading_directions import leading_directions
from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.mahalanobis_l2 import NormalisedMahalanobisDetector
from export.graphs.detector import score_graph
from tests.export.detectors.gaussian_density import log_likelihood

Rows = NDArray[np.float64]
CASES = st.tuples(st.integers(3, 40), st.integers(2, 30), st.integers(0, 2**32 - 1))


def draw(count: int, dimensions: int, seed: int) -> tuple[Rows, Rows]:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimensions, dimensions)) * np.exp(-np.arange(dimensions) / 4)[:, None]
    return rng.normal(size=(count, dimensions)) @ mixing + 5, rng.normal(1, 2, size=(6, dimensions)) @ mixing + 5


def isotropic_rest(rows: Rows, kept: int) -> multivariate_normal:
    """Gaussian of scikit-learn's Ledoit-Wolf covariance whose eigenvalues behind the first ``kept`` are their mean."""
    estimate = LedoitWolf().fit(rows)
    vectors, values, _ = np.linalg.svd(np.atleast_2d(estimate.covariance_))
    values[kept:] = values[kept:].mean() if kept < len(values) else 0
    return multivariate_normal(estimate.location_, (vectors * values) @ vectors.T, allow_singular=True)


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [MahalanobisDetector(exact_dimensions=1, directions=2), NormalisedMahalanobisDetector()]
)
def test_detectors_of_wide_and_normalised_rows_under_the_checks_of_scikit_learn_pass(
    estimator: Any, check: Any
) -> None:
    check(estimator)


@settings(max_examples=40, deadline=None)
@given(CASES, st.integers(0, 12))
def test_mahalanobis_of_wide_rows_has_an_isotropic_rest(case: tuple[int, int, int], directions: int) -> None:
    rows, others = draw(*case)
    estimator = MahalanobisDetector(exact_dimensions=0, directions=directions).fit(rows)
    gaussian = isotropic_rest(rows, min(directions, case[1] - 1, case[0] - 1))
    np.testing.assert_allclose(log_likelihood(estimator, others), gaussian.logpdf(others), rtol=2e-4, atol=1e-3)
    assert estimator.shrinkage_ == pytest.approx(LedoitWolf().fit(rows).shrinkage_, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(CASES)
def test_mahalanobis_of_wide_rows_with_all_their_directions_equals_the_whole_covariance(
    case: tuple[int, int, int],
) -> None:
    count, dimensions, seed = case
    rows, others = draw(count, dimensions, seed)
    wide = MahalanobisDetector(exact_dimensions=0, directions=dimensions).fit(rows)
    whole = MahalanobisDetector(exact_dimensions=dimensions).fit(rows)
    np.testing.assert_allclose(wide.score_samples(others), whole.score_samples(others), rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(CASES, st.integers(0, 12), st.sampled_from([4, 2048]))
def test_leading_directions_of_any_rows_are_those_of_the_singular_values(
    case: tuple[int, int, int], count: int, few: int
) -> None:
    """By all three decompositions: of the products of frames, of the covariance, and iteratively."""
    rows, _ = draw(*case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        spectrum = leading_directions(rows, count)
    _, singular, vectors = np.linalg.svd(rows - rows.mean(axis=0))
    values = singular**2 / len(rows)
    kept = min(count, int((values > 1e-12 * values[0]).sum()))
    np.testing.assert_allclose(spectrum.values[:kept], values[:kept], rtol=1e-6)
    overlap = np.abs((spectrum.directions[:kept] * vectors[:kept]).sum(axis=1))
    bounds = np.r_[np.inf, values, np.zeros(kept + 1)]
    distinct = [bounds[i] > 1.01 * bounds[i + 1] > 1.01**2 * bounds[i + 2] for i in range(kept)]
    np.testing.assert_allclose(overlap[distinct], 1, rtol=1e-5)
    assert spectrum.trace == pytest.approx(values.sum())
    assert spectrum.squares == pytest.approx((values**2).sum())


@settings(max_examples=25, deadline=None)
@given(CASES, st.booleans())
def test_mahalanobis_of_normalised_rows_equals_that_of_scikit_learns_normalisation(
    case: tuple[int, int, int], wide: bool
) -> None:
    rows, others = draw(*case)
    estimator = NormalisedMahalanobisDetector(exact_dimensions=0 if wide else 512, directions=64).fit(rows)
    estimate = LedoitWolf().fit(normalize(rows))
    centred = normalize(others) - estimate.location_
    expected = -np.einsum("ij,jk,ik->i", centred, np.linalg.pinv(estimate.covariance_, hermitian=True), centred)
    if np.linalg.matrix_rank(estimate.covariance_) == case[1]:
        np.testing.assert_allclose(estimator.score_samples(others), expected, rtol=1e-3)
    np.testing.assert_allclose(estimator.score_samples(3 * others), estimator.score_samples(others), rtol=1e-6)


def test_mahalanobis_of_a_row_of_zeros_after_normalisation_is_finite() -> None:
    rows, _ = draw(20, 4, 0)
    detector = NormalisedMahalanobisDetector().fit(np.vstack([rows, np.zeros(4)]))
    assert np.isfinite(detector.score_samples(np.zeros((1, 4)))).all()
    with pytest.raises(ValueError, match="n_features = 1"):
        NormalisedMahalanobisDetector().fit(rows[:, :1])
    with pytest.raises(ValueError, match="identical"):
        NormalisedMahalanobisDetector().fit(np.arange(1, 6)[:, None] * np.array([4.0, 8.0]))


@pytest.mark.parametrize("dimensions", [40, 600])
def test_mahalanobis_of_constant_columns_and_one_cell_is_finite(dimensions: int) -> None:
    """Log deviations of a layer with one cell are equal in every frame."""
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.normal(size=(30, dimensions)), np.full((30, dimensions), -13.8)])
    for detector in (MahalanobisDetector(), NormalisedMahalanobisDetector()):
        scores = detector.fit(rows).score_samples(np.vstack([rows, rows + 1]))
        assert np.isfinite(scores).all()
        assert scores[:30].mean() > scores[30:].max()


@pytest.mark.parametrize("kind", ["mahalanobis", "mahalanobis-l2"])
def test_mahalanobis_of_four_thousand_dimensions_is_small(kind: str) -> None:
    """No D x D matrix: 128 MB in float64."""
    rows = np.random.default_rng(0).normal(size=(300, 4096))
    graph = score_graph(fit_detector(kind, rows), 4096)
    assert graph.ByteSize() < 4 * 128 * 4096 + 200_000
