# SPDX-License-Identifier: Apache-2.0
"""Densities of many frames: compressed, measured against the full sum, within a bound that holds for every row."""

import tracemalloc

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, spearmanr
from sklearn.pipeline import Pipeline

from export.detectors import compressed_density, fit_compressed
from export.detectors.full_density import kernel_sums, left_out_densities
from export.detectors.kernel_density import (
    EXACT_NUMBERS,
    ExactKernelDensity,
    KernelDensityDetector,
    likelihood_bandwidth,
)
from export.detectors.registry import DETECTORS
from export.features.rows import RowBlocks
from export.graphs.detector import score_graph

Rows = NDArray[np.float64]


def drives_on_a_manifold(drives: int, frames: int, dimensions: int, seed: int) -> tuple[Rows, list[str]]:
    """Frames of drives that wander through 12 curved dimensions, with noise of falling and of even spectrum."""
    world, rng = np.random.default_rng(0), np.random.default_rng(seed)
    bend, mix = world.normal(size=(12, 64)), world.normal(size=(64, dimensions)) / 8
    spectrum = world.normal(size=(80, dimensions)) / (1 + np.arange(80))[:, None] ** 0.7
    rows = []
    for _ in range(drives):
        start, steps = rng.normal(size=12), 0.15 * rng.normal(size=(frames, 12))
        path = start + np.cumsum(steps, axis=0) / np.sqrt(1 + np.arange(frames))[:, None]
        noise = 0.1 * rng.normal(size=(frames, 80)) @ spectrum + 0.02 * rng.normal(size=(frames, dimensions))
        rows.append(np.tanh(0.5 * path @ bend) @ mix + noise)
    return np.concatenate(rows), [f"drive{i // frames}" for i in range(drives * frames)]


def compressed(points: Rows, bandwidth: float | str = 1.0, groups: list[str] | None = None) -> KernelDensityDetector:
    return KernelDensityDetector(bandwidth, exact_numbers=0).fit(points, groups=groups)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(10, 90),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.floats(0.2, 3),
    st.sampled_from([40, 4000]),
    st.sampled_from([4, 40]),
    st.sampled_from([1, 5, 256]),
)
def test_compressed_density_at_any_row_is_within_its_bound_of_the_full_sum(
    count: int, dimensions: int, seed: int, bandwidth: float, codes: int, directions: int, candidates: int
) -> None:
    """With a representative each, and with few of them; in all directions, and in four; with few candidates, and many."""
    rng = np.random.default_rng(seed)
    points = rng.normal(5, 1, size=(count, dimensions)) * np.exp(-np.arange(dimensions) / 5)
    rows = np.vstack([points[:3], rng.normal(5, 2, size=(4, dimensions)), rng.normal(40, 2, size=(2, dimensions))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_compressed, "CODES", codes)
        patch.setattr(fit_compressed, "FEWEST_BITS", 20)
        patch.setattr(fit_compressed, "DIRECTIONS", directions)
        patch.setattr(compressed_density, "CANDIDATES", candidates)
        detector = compressed(points, bandwidth)
        density = detector.compressed_
        assert density is not None
        score, bound = detector.score_samples(rows), density.error_bound(rows)
    assert density.weights.sum() == count
    bits = int(density.layout.bits.sum())
    assert len(density.codes) * bits <= max(8 * codes, 5 * bits), "a representative for each block at least"
    assert 8 * (density.codes.shape[1] + density.fine.shape[1]) < bits + 3 * 8
    full = np.array([multivariate_normal(point, bandwidth**2 * np.eye(dimensions)).logpdf(rows) for point in points])
    expected = logsumexp(full.reshape(count, -1), axis=0) - np.log(count)
    assert (np.abs(score - expected) <= bound + 1e-6).all()


def test_compressed_density_of_drives_on_a_manifold_ranks_as_the_full_sum() -> None:
    points, drives = drives_on_a_manifold(40, 60, 400, seed=1)
    new, _ = drives_on_a_manifold(20, 25, 400, seed=2)
    far, _ = drives_on_a_manifold(10, 25, 400, seed=3)
    rows = np.vstack([new, far + 0.3, far * 0.5])
    detector = compressed(points, "likelihood", drives)
    exact = ExactKernelDensity(detector.bandwidth_).fit(points).score_samples(rows)
    got = detector.score_samples(rows)
    assert spearmanr(got, exact).statistic >= 0.999
    verdicts = [-scores > np.quantile(-scores[:500], 0.95) for scores in (got, exact)]
    assert np.mean(verdicts[0] == verdicts[1]) >= 0.998
    assert detector.rank_agreement_ >= 0.999
    assert detector.representatives_ == len(points)
    assert 0 < detector.measured_error_ < detector.error_bound_


def test_compressed_density_of_more_points_than_codes_shares_representatives_within_a_drive() -> None:
    points, drives = drives_on_a_manifold(6, 50, 20, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_compressed, "CODES", 20 * 100)
        patch.setattr(fit_compressed, "FEWEST_BITS", 160)
        detector = compressed(points, "likelihood", drives)
    density = detector.compressed_
    assert density is not None
    assert 6 <= len(density.codes) <= 100
    assert density.weights.sum() == 300
    np.testing.assert_allclose(np.cumsum(density.weights)[::-1][0], 300)
    exact = ExactKernelDensity(detector.bandwidth_).fit(points)
    assert spearmanr(detector.score_samples(points), exact.score_samples(points)).statistic > 0.9


@pytest.mark.parametrize("grouped", [False, True])
def test_compressed_density_chooses_the_bandwidth_of_the_full_sum(grouped: bool) -> None:
    points, drives = drives_on_a_manifold(8, 40, 30, seed=4)
    groups = drives if grouped else None
    assert compressed(points, "likelihood", groups).bandwidth_ == pytest.approx(likelihood_bandwidth(points, 5, groups))


def test_left_out_densities_are_those_of_a_fit_without_the_fold() -> None:
    rng = np.random.default_rng(0)
    points, folds = rng.normal(3, 1, size=(60, 7)), np.repeat(np.arange(4), 15)
    queries, bandwidths, mean = np.array([0, 20, 59]), np.array([0.5, 0.9]), points.mean(axis=0)
    got, nearest = left_out_densities(RowBlocks.of(points), mean, queries, folds, bandwidths)
    for i, query in enumerate(queries):
        others = points[folds != folds[query]]
        distances = np.linalg.norm(points - points[query], axis=1)
        assert distances[nearest[i]] == distances[folds != folds[query]].min()
        for k, bandwidth in enumerate(bandwidths):
            expected = ExactKernelDensity(bandwidth).fit(others).score_samples(points[query : query + 1])
            assert got[i, k] == pytest.approx(expected[0])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_kernel_sums_by_squaring_are_those_of_the_exponentials(count: int, first: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    squared = rng.exponential(5, size=(4, 30))
    for ratio in (2**0.25, 1.3):
        bandwidths: Rows = first * ratio ** np.arange(count, dtype=np.float64)
        expected = np.stack([np.exp(-squared / (2 * b**2)).sum(axis=1) for b in bandwidths], axis=1)
        np.testing.assert_allclose(kernel_sums(squared, bandwidths), expected, rtol=1e-9, atol=1e-200)


def test_compressed_density_in_graph_and_torch_equals_its_float64_form() -> None:
    points, drives = drives_on_a_manifold(20, 40, 200, seed=5)
    new, _ = drives_on_a_manifold(4, 20, 200, seed=6)
    rows = np.vstack([new, new + 0.5, new * 30]).astype(np.float32)
    detector = compressed(points, "likelihood", drives)
    expected = -detector.score_samples(rows.astype(np.float64))
    graph = score_graph(Pipeline([("detector", detector)]), 200)
    density = detector.compressed_
    assert density is not None
    assert graph.ByteSize() < density.nbytes + 8 * len(density.codes) + 50_000
    session = ort.InferenceSession(graph.SerializeToString())
    (got,) = session.run(None, {"entropy": rows})
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    assert (np.argsort(got) == np.argsort(expected)).all()
    alone = [session.run(None, {"entropy": row[None]})[0][0] for row in rows[:5]]
    np.testing.assert_allclose(alone, got[:5], rtol=1e-12)
    make = DETECTORS["kde"].torch_score
    assert make is not None
    in_torch = make(detector)(torch.from_numpy(rows.astype(np.float64)))
    np.testing.assert_allclose(in_torch.numpy(), expected, rtol=1e-9)
    largest = np.full((1, 200), np.finfo(np.float32).max)
    for extreme in (largest, -largest, np.zeros((1, 200))):
        assert np.isfinite(session.run(None, {"entropy": extreme.astype(np.float32)})[0]).all()


@settings(max_examples=8, deadline=None)
@given(
    st.integers(12, 200),
    st.integers(1, 60),
    st.integers(0, 2**32 - 1),
    st.floats(-1e4, 1e4),
    st.sampled_from([300, 60_000]),
    st.sampled_from([8.0, np.inf]),
)
def test_compressed_density_of_any_shape_and_offset_in_a_graph_equals_its_float64_form(
    count: int, dimensions: int, seed: int, offset: float, codes: int, falls_over: float
) -> None:
    """Of a falling spectrum, and of an even one, where no direction is worth a byte but one must have it."""
    rng = np.random.default_rng(seed)
    spread = np.exp(-np.arange(dimensions) / falls_over)
    points = (offset + rng.normal(size=(count, dimensions)) * spread).astype(np.float32)
    rows = (offset + 2 * rng.normal(size=(20, dimensions)) * spread).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_compressed, "CODES", codes)
        patch.setattr(fit_compressed, "FEWEST_BITS", 24)
        detector = compressed(points.astype(np.float64))
    density = detector.compressed_
    assert density is not None
    assert density.layout.coarse >= 1
    expected = -detector.score_samples(rows.astype(np.float64))
    session = ort.InferenceSession(score_graph(Pipeline([("detector", detector)]), dimensions).SerializeToString())
    (got,) = session.run(None, {"entropy": rows})
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    clear = np.diff(np.sort(expected)).min(initial=np.inf) > 1e-4
    assert not clear or (np.argsort(got) == np.argsort(expected)).all()


def test_kernel_density_detector_up_to_a_size_is_the_exact_sum() -> None:
    points, _ = drives_on_a_manifold(4, 30, 10, seed=7)
    detector = KernelDensityDetector("likelihood").fit(points)
    exact = ExactKernelDensity("likelihood").fit(points)
    assert detector.compressed_ is None
    np.testing.assert_array_equal(detector.score_samples(points), exact.score_samples(points))
    assert points.size <= EXACT_NUMBERS
    assert not hasattr(detector, "representatives_")
    again = compressed(points)
    assert again.fit(points).compressed_ is not None


def test_kernel_density_detector_when_fitted_holds_no_square_of_the_frames() -> None:
    points = np.random.default_rng(0).normal(size=(6000, 24))
    tracemalloc.start()
    compressed(points, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 6000**2 / 8


@pytest.mark.parametrize(
    ("points", "bandwidth", "message"),
    [
        (np.zeros((20, 3)), "likelihood", "identical"),
        (np.arange(12.0).reshape(4, 3), "likelihood", "at least 10 points"),
        (np.arange(30.0).reshape(10, 3), -1.0, "above 0"),
        (np.arange(30.0).reshape(10, 3), "scott", "'scott'"),
    ],
)
def test_kernel_density_detector_of_degenerate_points_is_refused(
    points: Rows, bandwidth: float | str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compressed(points, bandwidth)
