# SPDX-License-Identifier: Apache-2.0
"""Detectors of features that vary by no more than float32's rounding, as moments of dead layers do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from export.detectors.fitted import PartOptions
from export.detectors.fused import fit_fused, out_of_fold_scores
from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.neco import NeuralCollapseRatio
from tests.export.detectors.feature_rows import LAYER, LOGITS, MAXIMUM, PARTS, WIDE, recording

EPS = float(np.finfo(np.float32).eps)
READERS = (
    PartOptions("mahalanobis", (LAYER,)),
    PartOptions("mahalanobis", (WIDE,)),
    PartOptions("mahalanobis-l2", (WIDE,)),
    PartOptions("knn", (WIDE,)),
)


def rounded(rows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same rows as another order of sums would give them: each number up to two steps of float32 off."""
    return (rows * (1 + EPS / 2 * rng.integers(-2, 3, size=rows.shape))).astype(np.float32)


def dead(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Means at any level, and the logarithms of the smallest deviation."""
    level = np.where(np.arange(shape[1]) < shape[1] // 2, rng.normal(0, 3, size=shape[1]), np.log(1e-5))
    return rounded(np.broadcast_to(level, shape).astype(np.float32), rng)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(READERS))
def test_fused_of_a_part_that_varies_by_rounding_alone_has_the_same_score_under_another_rounding(
    seed: int, reader: PartOptions
) -> None:
    drive, rng = recording(seed), np.random.default_rng(seed)
    features = drive.features | {key: dead(drive.features[key].shape, rng) for key in reader.keys}
    live = PartOptions("mahalanobis", (LOGITS,))
    detector = fit_fused([live, reader], features, drive.drives)
    other = features | {key: rounded(features[key], rng) for key in reader.keys}
    np.testing.assert_allclose(detector.score(other), detector.score(features), atol=0.02)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fused_of_ordinary_features_has_scales_by_the_scores_of_drives_left_out_alone(seed: int) -> None:
    """By the definition, to the last bit: no floor shows."""
    drive = recording(seed)
    detector = fit_fused(PARTS, drive.features, drive.drives)
    scores = out_of_fold_scores(PARTS, drive.features, drive.drives)
    np.testing.assert_array_equal(detector.scales, np.quantile(scores, 0.95, axis=0) - np.median(scores, axis=0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 60), st.integers(2, 30), st.floats(0, 1000))
def test_mahalanobis_of_ordinary_features_has_scikit_learns_covariance(
    seed: int, count: int, dimensions: int, level: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, dimensions)) * rng.uniform(0.1, 10, size=dimensions) + level
    detector = MahalanobisDetector().fit(rows)
    expected = -LedoitWolf().fit(rows).mahalanobis(2 * rows[:5])
    np.testing.assert_allclose(detector.score_samples(2 * rows[:5]), expected, rtol=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000), st.integers(1, 40))
def test_mahalanobis_of_features_that_vary_by_rounding_measures_in_units_of_rounding(
    seed: int, level: float, dimensions: int
) -> None:
    """A row that is rounded otherwise is not far; one off by a thousandth of the level is."""
    rng = np.random.default_rng(seed)
    rows = rounded(np.full((30, dimensions), level, np.float32), rng)
    rows[0, 0] = np.nextafter(rows[1, 0], np.float32(np.inf))  # so that they are not all the same
    detector = MahalanobisDetector().fit(rows)
    again = rounded(rows, rng)
    assert np.abs(detector.score_samples(again)).max() < 0.5 * dimensions
    assert detector.score_samples(rows * 1.001).max() < -1000 * dimensions


@pytest.mark.parametrize("seed", range(3))
def test_neco_of_a_channel_that_varies_by_rounding_does_not_read_it(seed: int) -> None:
    drive, rng = recording(seed), np.random.default_rng(seed)
    rows = drive.features[LAYER].copy()
    rows[:, 2] = rounded(np.full(60, -3.7, np.float32), rng)
    with_maximum = np.hstack([rows, drive.features[MAXIMUM]])
    detector = NeuralCollapseRatio().fit(with_maximum, widths=[12, 1])
    other = with_maximum.copy()
    other[:, 2] = rounded(rows[:, 2], rng)
    np.testing.assert_allclose(detector.score_samples(other), detector.score_samples(with_maximum), rtol=1e-6)
    assert detector.scale_[2] == 1
