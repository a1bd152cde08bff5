# SPDX-License-Identifier: Apache-2.0
"""Mean IoU and risk-coverage, against torchmetrics, scikit-learn and a plain loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import jaccard_score, roc_auc_score
from torchmetrics.classification import MulticlassJaccardIndex

from export.errors import UsageError
from export.evaluation.failure_prediction import failure_prediction, mean_iou_interval
from export.evaluation.interval import DriveCount, fewest, jackknife_interval
from export.evaluation.set_drives import SetDrives
from export.frames.overlaps import Overlaps, mean_iou, overlaps


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_mean_iou_of_a_frame_and_a_set_equals_other_libraries(num_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, (3, 8, 10), dtype=np.uint8)
    labels[rng.random(labels.shape) < 0.1] = 255
    maps = rng.integers(0, num_classes, labels.shape, dtype=np.uint8)
    frames = [overlaps(guess, label, num_classes, [255]) for guess, label in zip(maps, labels, strict=True)]
    for frame, guess, label in zip(frames, maps, labels, strict=True):
        counted = label != 255
        expected = jaccard_score(label[counted], guess[counted], average="macro")
        assert mean_iou([frame]) == pytest.approx(expected)
    whole = MulticlassJaccardIndex(num_classes, average="none", ignore_index=255)
    per_class = whole(torch.from_numpy(maps).long(), torch.from_numpy(labels).long()).numpy()
    occurs = np.sum([frame.union for frame in frames], axis=0) > 0
    assert mean_iou(frames) == pytest.approx(per_class[occurs].mean(), rel=1e-5)


def test_overlaps_of_a_smaller_map_resize_it_to_the_label() -> None:
    classes = np.array([[0, 1], [2, 3]], np.uint8)
    label = classes.repeat(6, axis=0).repeat(4, axis=1)
    assert mean_iou([overlaps(classes, label, 4, [])]) == 1
    assert math.isnan(mean_iou([overlaps(classes, np.full((4, 4), 9, np.uint8), 4, [9])]))
    with pytest.raises(UsageError, match=r"below 3 or ignored ones, got 3: name it by --ignore-label"):
        overlaps(classes, label, 3, [255])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_risk_coverage_of_any_scores_equals_a_plain_loop(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, iou = rng.normal(size=count), rng.random(count)
    got = failure_prediction("s", scores, iou)
    ranked = sorted(range(count), key=lambda i: scores[i])
    best = sorted(range(count), key=lambda i: -iou[i])
    for order, area in ((ranked, got.aurc.value), (best, got.oracle_aurc)):
        risks = [np.mean([1 - iou[i] for i in order[:k]]) for k in range(1, count + 1)]
        assert area == pytest.approx(np.mean(risks))
    assert got.random_aurc == pytest.approx(1 - iou.mean())
    assert got.oracle_aurc <= got.aurc.value + 1e-12
    assert got.spearman.value == pytest.approx(spearmanr(scores, iou).statistic)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.booleans())
def test_augrc_of_any_scores_equals_a_sum_over_pairs(count: int, seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores, iou = rng.normal(size=count), rng.random(count)
    scores = scores.round() if tied else scores
    pairs = sum(
        (1 - iou[i]) * (1.0 if scores[j] > scores[i] else 0.5 if scores[j] == scores[i] else 0.0)
        for i in range(count)
        for j in range(count)
    )
    got = failure_prediction("s", scores, iou)
    assert got.augrc.value == pytest.approx(pairs / count**2)
    assert got.random_augrc == pytest.approx(failure_prediction("s", np.zeros(count), iou).augrc.value)
    assert got.oracle_augrc <= got.augrc.value + 1e-12


def test_augrc_of_failures_or_none_is_the_papers_function_of_auroc_and_accuracy() -> None:
    """Traub et al. 2024: ``(1 - AUROC_f) acc (1 - acc) + (1 - acc)^2 / 2`` for losses of 0 and 1."""
    rng = np.random.default_rng(0)
    failed = rng.random(80) < 0.3
    scores = (rng.normal(size=80) + failed).round(1)
    accuracy = 1 - failed.mean()
    expected = (1 - roc_auc_score(failed, scores)) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert failure_prediction("s", scores, 1.0 - failed.astype(np.float64)).augrc.value == pytest.approx(expected)


def test_failure_prediction_of_equal_or_missing_scores_is_nan_or_refused() -> None:
    assert math.isnan(failure_prediction("s", np.ones(5), np.arange(5.0)).spearman.value)
    for scores, iou in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, np.nan], [1.0, 0.5])):
        with pytest.raises(UsageError, match="at least two frames"):
            failure_prediction("s", np.array(scores), np.array(iou))


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 14), st.integers(0, 2**32 - 1), st.booleans())
def test_failure_prediction_over_drives_has_the_intervals_of_a_plain_jackknife(
    drives: int, seed: int, tied: bool
) -> None:
    """Two sets, of which the second is of the drives of the first or of others; each figure computed anew without a drive."""
    rng = np.random.default_rng(seed)
    first = rng.permutation(np.repeat(np.arange(drives), 3))
    second, other = rng.permutation(np.repeat(np.arange(drives), 2)), int(rng.integers(2))
    scores, iou = rng.normal(size=5 * drives), rng.random(5 * drives)
    scores, iou = (scores.round(), iou.round(1)) if tied else (scores, iou)
    got = failure_prediction("s", scores, iou, [SetDrives(first), SetDrives(second, other)])
    places = [
        np.r_[(first == unit) & (sample == 0), (second == unit) & (sample == other)]
        for sample in range(other + 1)
        for unit in range(drives)
    ]
    samples = np.repeat(np.arange(other + 1), drives)
    sizes = [3, 2] if other else [5]
    count = fewest([DriveCount.of_sizes(np.full(drives, size)) for size in sizes])
    without = [failure_prediction("s", scores[~left], iou[~left]) for left in places]
    for name, lowest in (("spearman", -1.0), ("aurc", 0.0), ("augrc", 0.0)):
        values = np.array([getattr(one, name).value for one in without])
        found = getattr(got, name)
        expected = jackknife_interval(found.value, values, samples, count, math.inf, lowest)
        assert found.known
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_mean_iou_over_drives_has_the_interval_of_a_plain_jackknife() -> None:
    """A class may occur in some drives alone, or in one of them."""
    rng, units = np.random.default_rng(0), np.arange(60) // 4
    union = rng.integers(0, 900, (60, 4)) * (rng.random((60, 4)) < [1, 0.7, 0.05, 0])
    frames = [Overlaps((row * rng.random(4)).astype(np.int64), row) for row in union]
    got = mean_iou_interval(frames, SetDrives(units))
    without = [mean_iou([frame for frame, own in zip(frames, units, strict=True) if own != unit]) for unit in range(15)]
    expected = jackknife_interval(
        mean_iou(frames), np.array(without), np.zeros(15, np.int64), DriveCount.of_sizes(np.full(15, 4)), math.inf
    )
    assert got.known
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high))
