# SPDX-License-Identifier: Apache-2.0
"""Metrics of anomaly maps over pixels against those of scikit-learn over all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from export.evaluation.mask_metrics import PixelCounts, value_bins

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


def fpr95(unknown: NDArray[np.bool_], values: NDArray[np.float32], weights: NDArray[np.int64] | None = None) -> float:
    false, caught, _ = roc_curve(unknown, values, sample_weight=weights, drop_intermediate=False)
    return float(false[np.argmax(caught >= 0.95 - 1e-12)])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 4), levels=st.integers(1, 40))
def test_pixel_counts_of_values_in_bins_of_their_own_are_those_of_scikit_learn(
    seed: int, frames: int, levels: int
) -> None:
    random, counts = np.random.default_rng(seed), PixelCounts()
    scale = np.unique(random.normal(0, 5, levels).astype(np.float16).astype(np.float32))
    drawn_frames = []
    for _ in range(frames):
        size = int(random.integers(1, 50))
        drawn_frames.append((random.choice(scale, size), random.integers(0, 4, size), random.integers(0, 9, size)))
        counts.add(*drawn_frames[-1])
    values = np.concatenate([frame[0] for frame in drawn_frames])
    unknown, known = (np.concatenate([frame[kind] for frame in drawn_frames]) for kind in (1, 2))
    labels = np.repeat([True, False], len(values))
    both, weights = np.tile(values, 2), np.append(unknown, known)
    if not unknown.any() or not known.any():
        assert counts.figures() is None
        return
    figures = counts.figures()
    assert figures is not None
    assert figures.unknown_share == pytest.approx(unknown.sum() / weights.sum())
    assert figures.average_precision == pytest.approx(average_precision_score(labels, both, sample_weight=weights))
    assert figures.auroc == pytest.approx(roc_auc_score(labels, both, sample_weight=weights))
    assert figures.fpr95 == pytest.approx(fpr95(labels, both, weights))


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_pixel_counts_of_any_values_are_close_to_those_of_all_pixels(seed: int) -> None:
    random, counts = np.random.default_rng(seed), PixelCounts()
    values = np.append(random.normal(0, 1, 4000), random.normal(2, 2, 300)).astype(np.float32)
    unknown = np.arange(4300) >= 4000
    counts.add(values, unknown.astype(np.int64), (~unknown).astype(np.int64))
    figures = counts.figures()
    assert figures is not None
    assert figures.average_precision == pytest.approx(average_precision_score(unknown, values), abs=2e-3)
    assert figures.auroc == pytest.approx(roc_auc_score(unknown, values), abs=2e-4)
    assert figures.fpr95 == pytest.approx(fpr95(unknown, values), abs=2e-3)


@given(values=drawn.arrays(np.float32, 30, elements=FINITE))
def test_value_bins_are_in_the_order_of_the_values_and_narrow(values: NDArray[np.float32]) -> None:
    bins = value_bins(values)
    order = np.argsort(values, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    same = np.diff(bins[order]) == 0
    gaps, sizes = np.diff(values[order].astype(np.float64)), np.abs(values[order][:-1]).astype(np.float64)
    assert (gaps[same] <= np.maximum(sizes[same], np.abs(values[order][1:][same])) / 4096 + 2.0**-120).all()


def test_value_bins_of_both_zeros_are_one() -> None:
    assert len(set(value_bins(np.array([0.0, -0.0], np.float32)).tolist())) == 1
