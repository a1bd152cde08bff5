# SPDX-License-Identifier: Apache-2.0
"""ViM and NECO against their papers' formulas, written with scikit-learn's PCA and a projection on the null space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from export.detectors.neco import NeuralCollapseRatio
from export.detectors.vim import VirtualLogit

Rows = NDArray[np.float64]
CASES = st.tuples(st.integers(6, 40), st.integers(2, 12), st.integers(2, 8), st.integers(0, 2**32 - 1))


def draw(frames: int, channels: int, classes: int, seed: int) -> tuple[Rows, Rows, Rows]:
    """Channel means, mean logits, and rows with the log deviations between them, which neither method reads."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(frames, channels)) * np.exp(-np.arange(channels) / 3) + 2
    logits = rng.normal(2, 3, size=(frames, classes))
    rows = np.hstack([means, rng.normal(size=means.shape), logits, rng.normal(size=logits.shape)])
    return means, logits, rows


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_vim_of_any_frames_ranks_as_the_probability_of_the_virtual_logit(case: tuple[int, int, int, int]) -> None:
    frames, channels, classes, _ = case
    means, logits, rows = draw(*case)
    fit = slice(0, frames - 2)
    detector = VirtualLogit().fit(rows[fit], widths=(2 * channels, 2 * classes))
    pca = PCA().fit(means[fit])
    principal = pca.components_[: min(channels // 2, (frames - 2) // 2)]
    null = np.eye(channels) - principal.T @ principal
    residual = np.linalg.norm((means - pca.mean_) @ null, axis=1)
    alpha = abs(logits[fit].max(axis=1).mean()) / residual[fit].mean()
    probability = softmax(np.column_stack([alpha * residual, logits]), axis=1)[:, 0]
    # -score is the logarithm of the odds of the virtual logit
    odds = 1 / (1 + np.exp(detector.score_samples(rows)))
    np.testing.assert_allclose(odds, probability, rtol=1e-4, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(CASES, st.sampled_from(["alone", "logits", "maximum"]))
def test_neco_of_any_frames_is_the_ratio_of_the_norms_times_the_largest_logit(
    case: tuple[int, int, int, int], second: str
) -> None:
    frames, channels, classes, _ = case
    means, logits, rows = draw(*case)
    fit = slice(0, frames - 2)
    scaler = StandardScaler().fit(means[fit])
    pca = PCA().fit(scaler.transform(means[fit]))
    kept = int((np.cumsum(pca.explained_variance_ratio_) < 0.9).sum()) + 1
    whole = scaler.transform(means)
    ratio = np.linalg.norm(pca.transform(whole)[:, :kept], axis=1) / np.linalg.norm(whole, axis=1)
    widths: tuple[int, ...]
    if second == "alone":
        rows, widths, expected = rows[:, : 2 * channels], (2 * channels,), ratio
    elif second == "logits":
        widths, expected = (2 * channels, 2 * classes), ratio * logits.max(axis=1)
    else:
        largest = logits.max(axis=1, keepdims=True)
        rows, widths = np.hstack([rows[:, : 2 * channels], -largest]), (2 * channels, 1)
        expected = ratio * largest[:, 0]
    detector = NeuralCollapseRatio().fit(rows[fit], widths=widths)
    np.testing.assert_allclose(detector.score_samples(rows), expected, rtol=1e-4, atol=1e-6)


def test_vim_of_an_energy_stands_it_for_the_logits() -> None:
    _, logits, rows = draw(30, 6, 4, 0)
    energy = -np.log(np.exp(logits).sum(axis=1, keepdims=True))
    moments = rows[:, :12]
    by_energy = VirtualLogit().fit(np.hstack([moments, energy]), widths=(12, 1))
    by_logits = VirtualLogit().fit(rows, widths=(12, 8))
    virtual = by_logits.score_samples(rows) + energy[:, 0]  # minus alpha times the residual
    scale = by_energy.alpha_ / by_logits.alpha_
    got = by_energy.score_samples(np.hstack([moments, energy]))
    np.testing.assert_allclose(got, -energy[:, 0] + scale * virtual, rtol=1e-9)


def test_neco_of_constant_channels_and_of_the_mean_frame_is_finite() -> None:
    _, _, rows = draw(30, 6, 4, 0)
    rows[:, 2] = 7.0
    detector = NeuralCollapseRatio().fit(rows, widths=(12, 8))
    assert np.isfinite(detector.score_samples(np.vstack([rows, rows.mean(axis=0)]))).all()
    assert NeuralCollapseRatio().fit(rows[:, :12], widths=(12,)).score_samples(rows[:, :12].mean(axis=0)[None]) == [1]


@pytest.mark.parametrize(
    ("rows", "widths", "message"),
    [
        (np.ones((9, 6)), (4, 2), "differ"),
        (np.eye(9, 6), (6, 2), "got features of 6, 2 columns"),
        (np.eye(9, 6), (3, 3), "got features of 3, 3 columns"),
        (np.eye(9, 6), (1, 5), "got features of 1, 5 columns"),
        (np.eye(9, 6), (2, 2, 2), "got features of 2, 2, 2 columns"),
        (np.eye(9, 6), None, "got features of no columns"),
    ],
)
@pytest.mark.parametrize("kind", [VirtualLogit, NeuralCollapseRatio])
def test_vim_and_neco_of_other_features_or_identical_frames_are_refused(
    kind: type[VirtualLogit | NeuralCollapseRatio], rows: Rows, widths: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind().fit(rows, widths=widths)


def test_vim_of_moments_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="got moments alone"):
        VirtualLogit().fit(np.eye(9, 6), widths=(6,))
