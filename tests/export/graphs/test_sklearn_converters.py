# SPDX-License-Identifier: Apache-2.0
"""Each converter as skl2onnx tests its own: run scikit-learn, run ONNX Runtime, compare; densities also by the sum."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.covariance import OAS, EmpiricalCovariance, LedoitWolf, MinCovDet, ShrunkCovariance
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import export.graphs.sklearn_converters  # noqa: F401  registers the converters under test
from export.detectors.fit import fit_detector
from export.detectors.kde_classifier import KDEClassifier, KDELogOdds
from export.detectors.kernel_density import ExactKernelDensity
from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.nearest_neighbors import NearestNeighborDetector
from export.detectors.registry import DETECTORS
from export.graphs.detector import score_graph

Rows = NDArray[np.float64]
KINDS: dict[type, tuple[Any, float]] = {
    np.float64: (DoubleTensorType, 1e-9),
    np.float32: (FloatTensorType, 1e-5),
}


def converted(estimator: Any, rows: NDArray[Any]) -> list[NDArray[Any]]:
    kind = KINDS[rows.dtype.type][0]
    model = to_onnx(
        estimator, initial_types=[("X", kind([None, rows.shape[1]]))], target_opset={"": 20, "ai.onnx.ml": 1}
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[NDArray[Any]] = session.run(None, {"X": rows})
    return outputs


def direct_log_density(rows: Rows, points: Rows, bandwidth: float) -> Rows:
    """Differences, squares and logsumexp in float64, a row at a time."""
    constant = np.log(len(points)) + points.shape[1] / 2 * np.log(2 * np.pi * bandwidth**2)
    found = [logsumexp(-((points - row) ** 2).sum(axis=1) / (2 * bandwidth**2)) - constant for row in rows]
    return np.array(found)


ONE_OUTPUT: dict[str, tuple[Callable[[Rows], Any], Callable[[Any, Rows], Rows]]] = {
    "KernelDensity": (
        lambda X: KernelDensity(bandwidth=0.7).fit(X),
        lambda e, rows: direct_log_density(rows, np.asarray(e.tree_.data), 0.7),
    ),
    "ExactKernelDensity": (lambda X: ExactKernelDensity(0.7).fit(X), lambda e, rows: e.score_samples(rows)),
    "MahalanobisDetector": (lambda X: MahalanobisDetector().fit(X), lambda e, rows: e.score_samples(rows)),
    "NearestNeighborDetector": (lambda X: NearestNeighborDetector(3).fit(X), lambda e, rows: e.score_samples(rows)),
    "KDELogOdds": (
        lambda X: KDELogOdds(0.9).fit(X, np.arange(len(X)) % 2),
        lambda e, rows: e.score_samples(rows),
    ),
    **{
        kind.__name__: (lambda X, kind=kind: kind().fit(X), lambda e, rows: e.mahalanobis(rows))  # type: ignore[misc]
        for kind in (EmpiricalCovariance, LedoitWolf, OAS, ShrunkCovariance)
    },
}


@pytest.mark.parametrize("name", ONE_OUTPUT)
@settings(max_examples=12, deadline=None)
@given(
    st.integers(4, 60),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 3.0, 1e4]),
    st.sampled_from([np.float32, np.float64]),
)
def test_converter_of_any_estimator_equals_its_scores(
    name: str, count: int, dimensions: int, seed: int, offset: float, dtype: type
) -> None:
    if name == "EmpiricalCovariance" and count <= 2 * dimensions:
        count = 3 * dimensions + 5  # its inverse is noise otherwise
    rng = np.random.default_rng(seed)
    points = rng.normal(offset, 1, size=(count, dimensions)).astype(dtype).astype(np.float64)
    near, far = rng.normal(offset, 1.5, size=(5, dimensions)), rng.normal(offset + 30, 1, size=(3, dimensions))
    rows: NDArray[Any] = np.vstack([near, far, points[:2] + 1e-3]).astype(dtype)
    fit, expected_of = ONE_OUTPUT[name]
    estimator = fit(points)
    exact = rows.astype(np.float64)
    expected = expected_of(estimator, exact)
    (got,) = converted(estimator, rows)
    assert got.dtype == dtype
    assert got.shape == (10, 1)
    tolerance = KINDS[dtype][1]
    # Of points 1e4 away from the origin float64 keeps twelve digits of a squared distance, before the root 6 of a small one.
    floor = 1e-4 if offset == 1e4 else 1e-6
    np.testing.assert_allclose(got[:, 0], expected, rtol=max(tolerance, 1e-7 if offset == 1e4 else 0), atol=floor)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 4), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_converter_of_the_kde_classifier_gives_labels_and_probabilities(
    classes: int, dimensions: int, seed: int, names: bool
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 8)
    points = rng.normal(size=(len(labels), dimensions)) + labels[:, None]
    y = np.array(["fog", "ok", "rain", "snow"])[labels] if names else labels
    estimator = KDEClassifier(0.8).fit(points, y)
    rows = rng.normal(1, 2, size=(9, dimensions))
    got_labels, got = converted(estimator, rows)
    np.testing.assert_allclose(got, estimator.predict_proba(rows), atol=1e-9)
    assert got_labels.tolist() == estimator.predict(rows).tolist()


def test_converter_of_a_robust_covariance_or_behind_a_scaler_equals_the_estimator() -> None:
    rng = np.random.default_rng(0)
    points, rows = rng.normal(5, 3, size=(80, 4)), rng.normal(5, 6, size=(7, 4))
    robust = MinCovDet(random_state=0).fit(points)
    np.testing.assert_allclose(converted(robust, rows)[0][:, 0], robust.mahalanobis(rows), rtol=1e-9)
    pipeline = make_pipeline(StandardScaler(), ExactKernelDensity(0.5)).fit(points)
    np.testing.assert_allclose(converted(pipeline, rows)[0][:, 0], pipeline.score_samples(rows), rtol=1e-9)


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("pca", [None, 5])
def test_score_graph_of_every_detector_equals_its_scores(kind: str, standardise: bool, pca: int | None) -> None:
    """Agreement to 1e-4 relative and in rank order, near and far, on float32 entropies as the vehicle has them."""
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(30, 30))
    ind, ood = rng.normal(size=(120, 30)) @ mixing - 4, rng.normal(1.5, 1.5, size=(60, 30)) @ mixing - 4
    detector = fit_detector(
        kind, ind[:90], ood[:30] if kind == "kde-classifier" else None, pca_components=pca, standardise=standardise
    )
    rows = np.vstack([ind[90:], ood[30:], ood[30:35] * 50]).astype(np.float32)
    graph = score_graph(detector, 30)
    assert {node.domain for node in graph.graph.node} == {""}, (
        "no operator of ai.onnx.ml: CUDA has no kernels for those"
    )
    (got,) = ort.InferenceSession(graph.SerializeToString()).run(None, {"entropy": rows})
    expected = -detector.score_samples(rows.astype(np.float64))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    assert (np.argsort(got, kind="stable") == np.argsort(expected, kind="stable")).all()


@pytest.mark.parametrize("kind", DETECTORS)
def test_score_graph_of_extreme_entropies_is_finite(kind: str) -> None:
    rng = np.random.default_rng(0)
    ind = rng.normal(size=(40, 3))
    detector = fit_detector(kind, ind, ind + 2 if kind == "kde-classifier" else None)
    largest = float(np.finfo(np.float32).max)
    rows = np.array([[largest] * 3, [-largest, largest, 0], [0, 0, 0], [1e-45, 0, 0]], np.float32)
    (got,) = ort.InferenceSession(score_graph(detector, 3).SerializeToString()).run(None, {"entropy": rows})
    assert np.isfinite(got).all()


@pytest.mark.parametrize("kind", ["kde", "mahalanobis", "knn"])
def test_score_graph_of_two_thousand_dimensions_equals_the_estimator(kind: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(-3, 1, size=(150, 2048))
    detector = fit_detector(kind, points)
    rows = np.vstack([rng.normal(-3, 1, size=(4, 2048)), rng.normal(-2, 2, size=(4, 2048))]).astype(np.float32)
    (got,) = ort.InferenceSession(score_graph(detector, 2048).SerializeToString()).run(None, {"entropy": rows})
    np.testing.assert_allclose(got, -detector.score_samples(rows.astype(np.float64)), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kde", "knn"])
def test_score_graph_of_twenty_thousand_points_equals_the_estimator(kind: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 58))
    detector = fit_detector(kind, points, bandwidth=0.7)
    rows = np.vstack([rng.normal(size=(20, 58)), rng.normal(4, 1, size=(20, 58))]).astype(np.float32)
    (got,) = ort.InferenceSession(score_graph(detector, 58).SerializeToString()).run(None, {"entropy": rows})
    expected = -detector.score_samples(rows.astype(np.float64))
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    if kind == "kde":
        np.testing.assert_allclose(got, -direct_log_density(rows.astype(np.float64), points, 0.7), rtol=1e-8)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (KernelDensity(kernel="tophat"), "tophat"),
        (KernelDensity(metric="manhattan"), "manhattan"),
    ],
)
def test_converter_of_other_kernels_is_refused(estimator: KernelDensity, message: str) -> None:
    rows = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(NotImplementedError, match=message):
        converted(estimator.fit(rows), rows)


def test_converter_of_sample_weights_or_integers_is_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(NotImplementedError, match="sample weights"):
        converted(KernelDensity().fit(rows, sample_weight=np.arange(1.0, 11)), rows)
    with pytest.raises(TypeError, match="float32 or float64"):
        to_onnx(ExactKernelDensity(1.0).fit(rows), initial_types=[("X", Int64TensorType([None, 2]))])
