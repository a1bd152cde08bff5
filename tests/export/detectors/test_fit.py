# SPDX-License-Identifier: Apache-2.0
"""Detectors as scikit-learn estimators, alone and in their pipeline, and the rule that chooses one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from export.detectors.fit import fit_detector
from export.detectors.kde_classifier import KDELogOdds
from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.nearest_neighbors import NearestNeighborDetector
from export.detectors.registry import DETECTORS
from export.errors import CalibrationError
from tests.export.detectors.gaussian_density import log_likelihood


@parametrize_with_checks([MahalanobisDetector(), NearestNeighborDetector()])  # type: ignore[untyped-decorator]
def test_detectors_under_the_checks_of_scikit_learn_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_mahalanobis_of_any_rows_equals_scipys(count: int, dimensions: int, seed: int) -> None:
    """Also with more dimensions than rows."""
    rng = np.random.default_rng(seed)
    points, rows = rng.normal(size=(count, dimensions)) * 3, rng.normal(1, 4, size=(6, dimensions))
    estimator, reference = MahalanobisDetector().fit(points), LedoitWolf().fit(points)
    covariance = np.atleast_2d(reference.covariance_)
    inverse = np.linalg.inv(covariance)
    expected = [-(mahalanobis(row, reference.location_, inverse) ** 2) for row in rows]
    np.testing.assert_allclose(estimator.score_samples(rows), expected, rtol=1e-6)
    gaussian = multivariate_normal(reference.location_, covariance)
    np.testing.assert_allclose(log_likelihood(estimator, rows), np.atleast_1d(gaussian.logpdf(rows)), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_nearest_neighbours_of_any_rows_equal_scikit_learns(count: int, dimensions: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, rows = rng.normal(size=(count, dimensions)), rng.normal(1, 4, size=(6, dimensions))
    if k > count:
        with pytest.raises(ValueError, match=f"n_samples = {count} neighbours"):
            NearestNeighborDetector(k).fit(points)
        return
    distances = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors(rows)[0][:, -1]
    np.testing.assert_allclose(NearestNeighborDetector(k).fit(points).score_samples(rows), -distances, rtol=1e-6)
    if k == 1:
        assert not NearestNeighborDetector(1).fit(points).score_samples(points).any(), "a training row finds itself"


def test_log_odds_where_probabilities_saturate_go_on_falling() -> None:
    rng = np.random.default_rng(0)
    rows, labels = np.r_[rng.normal(size=(50, 4)), rng.normal(3, 1, size=(30, 4))], np.repeat([0, 1], [50, 30])
    estimator = KDELogOdds(0.8).fit(rows, labels)
    far = np.linspace(0, 60, 30)[:, None] * np.ones(4)
    odds = estimator.score_samples(far)
    assert (np.diff(odds) < 0).all(), "further and further away"
    posterior = estimator.classifier_.predict_proba(far)
    assert (posterior[-5:, 0] == posterior[-1, 0]).all(), "and the posterior says so no more"
    near = far[:3]
    expected = np.log(estimator.classifier_.predict_proba(near))
    np.testing.assert_allclose(odds[:3], expected[:, 0] - expected[:, 1], rtol=1e-9)
    with pytest.raises(ValueError, match="labels 0 and 1"):
        KDELogOdds().fit(rows, labels + 1)


@pytest.mark.parametrize("kind", DETECTORS)
def test_fit_detector_with_scaling_and_pca_equals_its_steps(kind: str) -> None:
    rng = np.random.default_rng(0)
    ind, ood, rows = rng.normal(2, 3, size=(60, 9)), rng.normal(size=(30, 9)), rng.normal(size=(5, 9))
    ood_rows = ood if kind == "kde-classifier" else None
    pipeline = fit_detector(kind, ind, ood_rows, pca_components=4, standardise=True)
    seen = ind if ood_rows is None else np.vstack([ind, ood])
    scaler = StandardScaler().fit(seen)
    pca = PCA(4, whiten=True, random_state=0).fit(scaler.transform(seen))
    alone = clone(pipeline[-1])
    labels = () if ood_rows is None else (np.repeat([0, 1], [60, 30]),)
    alone.fit(pca.transform(scaler.transform(seen)), *labels)
    np.testing.assert_allclose(
        pipeline.score_samples(rows), alone.score_samples(pca.transform(scaler.transform(rows))), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("kind", "ind", "ood", "pca", "message"),
    [
        ("kde-classifier", np.zeros((20, 2)), None, None, "without them"),
        ("kde", np.eye(20), np.eye(20), None, "with them"),
        ("kde", np.ones((20, 3)), None, None, "identical"),
        ("mahalanobis", np.ones((20, 3)), None, None, "identical"),
        ("knn", np.ones((20, 3)), None, 2, "identical"),
        ("mahalanobis", np.ones((1, 3)), None, None, "minimum of 2"),
        ("knn", np.ones((4, 3)), None, None, "n_samples = 4 neighbours"),
        ("kde", np.full((20, 2), np.nan), None, None, "row 0 holds NaN"),
        ("kde", np.random.default_rng(0).normal(size=(20, 4)), None, 5, "1 to 4 PCA components"),
    ],
)
def test_fit_detector_of_rows_that_cannot_be_fitted_is_refused(
    kind: str, ind: np.ndarray, ood: np.ndarray | None, pca: int | None, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit_detector(kind, ind, ood, pca_components=pca)
