# SPDX-License-Identifier: Apache-2.0
"""The kernel density against scipy's sum and scikit-learn's single-leaf tree, in Python and in ONNX Runtime."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.neighbors import KernelDensity

import export.graphs.sklearn_converters  # noqa: F401  registers the converter under test
from export.detectors.entropy import latent_entropy
from export.detectors.fit import fit_detector
from export.detectors.kernel_density import ExactKernelDensity, likelihood_bandwidth
from export.graphs.detector import detector_graph, entropy_graph, score_graph


def direct_sum(rows: NDArray[np.float64], points: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Mean of Gaussian densities, one scipy call a training point."""
    covariance = bandwidth**2 * np.eye(points.shape[1])
    terms = np.stack([multivariate_normal(point, covariance).logpdf(rows) for point in points])
    return np.atleast_1d(logsumexp(terms, axis=0) - np.log(len(points)))


cases = st.tuples(
    st.integers(2, 60), st.integers(1, 30), st.integers(0, 2**32 - 1), st.floats(0.1, 3), st.floats(0, 50)
)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_exact_kernel_density_at_any_row_is_the_direct_sum(case: tuple[int, int, int, float, float]) -> None:
    count, dimensions, seed, bandwidth, shift = case
    rng = np.random.default_rng(seed)
    points, rows = rng.normal(size=(count, dimensions)), rng.normal(shift, 2, size=(7, dimensions))
    got = ExactKernelDensity(bandwidth).fit(points).score_samples(rows)
    np.testing.assert_allclose(got, direct_sum(rows, points, bandwidth), rtol=1e-10)
    one_leaf = KernelDensity(bandwidth=bandwidth, leaf_size=count).fit(points).score_samples(rows)
    np.testing.assert_allclose(got, one_leaf, rtol=1e-8)


def test_kernel_density_of_scikit_learn_far_from_the_points_is_wrong() -> None:
    """The reason for the exact sum: the library's default must not come back."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1000, 58))
    rows = rng.normal(size=(50, 58)) + 1.5
    exact = ExactKernelDensity(1.0).fit(points).score_samples(rows)
    default = KernelDensity(bandwidth=1.0).fit(points).score_samples(rows)
    assert np.abs(default - exact).max() > 10
    assert (default > exact - 1e-6).all()  # it errs upwards: far frames look near
    assert (default > exact + 1).mean() > 0.25


@settings(max_examples=25, deadline=None)
@given(cases, st.sampled_from([DoubleTensorType, FloatTensorType]))
def test_converter_of_a_kernel_density_equals_the_estimator(
    case: tuple[int, int, int, float, float], kind: type
) -> None:
    count, dimensions, seed, bandwidth, shift = case
    rng = np.random.default_rng(seed)
    dtype, tolerance = (np.float64, 1e-9) if kind is DoubleTensorType else (np.float32, 1e-5)
    estimator = ExactKernelDensity(bandwidth).fit(rng.normal(shift * 20, 1, size=(count, dimensions)))
    rows = rng.normal(shift * 20, 3, size=(5, dimensions)).astype(dtype)
    model = to_onnx(estimator, initial_types=[("X", kind([None, dimensions]))], target_opset={"": 20, "ai.onnx.ml": 1})
    (got,) = ort.InferenceSession(model.SerializeToString()).run(None, {"X": rows})
    assert got.dtype == dtype
    np.testing.assert_allclose(got[:, 0], estimator.score_samples(rows.astype(np.float64)), rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1e3, 1e6])
def test_converter_of_a_kernel_density_at_any_distance_is_finite(distance: float) -> None:
    estimator = ExactKernelDensity(0.5).fit(np.random.default_rng(0).normal(size=(50, 8)))
    model = to_onnx(
        estimator, initial_types=[("X", DoubleTensorType([None, 8]))], target_opset={"": 20, "ai.onnx.ml": 1}
    )
    rows = np.full((1, 8), distance)
    (got,) = ort.InferenceSession(model.SerializeToString()).run(None, {"X": rows})
    np.testing.assert_allclose(got[:, 0], estimator.score_samples(rows), rtol=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 60), st.integers(2, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_detector_graph_of_latent_samples_gives_entropies_and_scores(
    count: int, channels: int, pca: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(scale=rng.uniform(0.3, 3, size=(count, 1, channels)), size=(count, 10, channels))
    samples = samples.astype(np.float32)
    entropies = latent_entropy(samples)
    detector = fit_detector("kde", entropies, pca_components=2 if pca else None, seed=seed % 1000)
    model = detector_graph(entropy_graph(10, channels, 5), score_graph(detector, channels))
    entropy, score = ort.InferenceSession(model.SerializeToString()).run(
        ["entropy", "score"], {"latent_samples": samples}
    )
    np.testing.assert_allclose(entropy, entropies, atol=2e-5)
    np.testing.assert_allclose(score, -detector.score_samples(entropies), rtol=1e-4, atol=1e-3)
    assert score.dtype == np.float64
    assert score.shape == (count,)


def test_likelihood_bandwidth_of_a_smooth_density_recovers_it() -> None:
    points = np.random.default_rng(0).normal(scale=3, size=(400, 1))
    assert 0.3 < likelihood_bandwidth(points) / 3 < 0.9  # Silverman's rule says 0.32 of the scale


def test_likelihood_bandwidth_of_repeated_frames_is_not_shrunk_by_them() -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(rng.normal(size=(40, 4)), 10, axis=0) + rng.normal(scale=1e-3, size=(400, 4))
    by_blocks = likelihood_bandwidth(still)
    by_frames = likelihood_bandwidth(rng.permutation(still))  # neighbours land in different folds
    assert by_blocks > 2 * by_frames


@pytest.mark.parametrize(
    ("points", "bandwidth", "message"),
    [
        (np.zeros((20, 3)), "likelihood", "identical"),
        (np.arange(12.0).reshape(4, 3), "likelihood", "at least 10 points"),
        (np.arange(12.0).reshape(4, 3), -1.0, "above 0"),
        (np.arange(12.0).reshape(4, 3), "scott", "'scott'"),
        (np.full((20, 3), np.nan), 1.0, "NaN"),
    ],
)
def test_likelihood_bandwidth_of_degenerate_points_is_refused(
    points: NDArray[np.float64], bandwidth: float | str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ExactKernelDensity(bandwidth).fit(points)


def test_kernel_density_score_of_rows_is_their_total_log_likelihood() -> None:
    rng = np.random.default_rng(0)
    density, rows = ExactKernelDensity(0.7).fit(rng.normal(size=(20, 3))), rng.normal(size=(5, 3))
    assert density.score(rows) == pytest.approx(density.score_samples(rows).sum())
