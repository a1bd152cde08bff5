# SPDX-License-Identifier: Apache-2.0
"""Every column of the results against a formulation of its own: pairs, counts and thresholds, one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from export.detectors.kde_classifier import KDEClassifier
from export.errors import UsageError
from export.evaluation.ood_metrics import ind_flagged, ood_missed
from export.guide.results import get_ood_detector_results

Array = NDArray[np.float64]


class Fixed:
    """A detector whose posterior of OoD is its only input column."""

    def pred_prob(self, X: ArrayLike) -> Array:
        p = np.asarray(X, np.float64)[:, 0]
        return np.column_stack([1 - p, p])


@st.composite
def labelled_scores(draw: st.DrawFn) -> tuple[NDArray[np.int64], Array]:
    """Labels with both classes, and posteriors with many ties."""
    count = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, 2, count)
    labels[:2] = [0, 1]
    levels = draw(st.sampled_from([2, 4, 10, 1000]))
    scores = np.clip(rng.integers(0, levels + 1, count) / levels + 0.2 * labels, 0, 1)
    return labels, scores


def average_precision(positive: NDArray[np.bool_], scores: Array) -> float:
    """Sum over thresholds, from the highest, of the gain in recall times the precision."""
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        recall = (called & positive).sum() / positive.sum()
        total += (recall - before) * (called & positive).sum() / called.sum()
        before = recall
    return float(total)


@settings(max_examples=150, deadline=None)
@given(labelled_scores())
def test_results_of_any_scores_equal_their_definitions(case: tuple[NDArray[np.int64], Array]) -> None:
    labels, scores = case
    ood, ind = scores[labels == 1], scores[labels == 0]
    row = get_ood_detector_results("monitor", Fixed(), scores[:, None], labels).loc["monitor"]

    pairs = (ood[:, None] > ind).mean() + 0.5 * (ood[:, None] == ind).mean()
    thresholds = np.unique(scores)
    caught = [t for t in thresholds if (ood >= t).mean() >= 0.95]
    kept = [t for t in thresholds if (ind <= t).mean() >= 0.95]
    called = scores >= 0.5
    tp, tn = (called & (labels == 1)).sum(), (~called & (labels == 0)).sum()
    fp, fn = (called & (labels == 0)).sum(), (~called & (labels == 1)).sum()
    correlation = np.corrcoef(labels, called)[0, 1] if 0 < called.sum() < len(called) else 0.0
    expected = {
        "auc": pairs,
        "acc": (tp + tn) / len(labels),
        "mcc": correlation,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "fpr@95": (ind >= max(caught)).mean(),
        "ind_flagged@95_ood_caught": (ind >= max(caught)).mean(),
        "ood_missed@95_ind_kept": (ood <= min(kept)).mean(),
        "aupr_ood_positive": average_precision(labels == 1, scores),
        "aupr_ind_positive": average_precision(labels == 0, -scores),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(labelled_scores())
def test_results_of_distinct_scores_have_a_vertex_for_each(case: tuple[NDArray[np.int64], Array]) -> None:
    labels, scores = case
    row = get_ood_detector_results("monitor", Fixed(), scores[:, None], labels).loc["monitor"]
    thresholds = np.unique(scores)[::-1]
    np.testing.assert_allclose(row["fpr"], [0, *((scores[labels == 0] >= t).mean() for t in thresholds)])
    np.testing.assert_allclose(row["tpr"], [0, *((scores[labels == 1] >= t).mean() for t in thresholds)])


def test_results_of_a_detector_have_the_guides_columns_first() -> None:
    table = get_ood_detector_results("cs OoD monitor", Fixed(), np.array([[0.1], [0.9]]), [0, 1])
    assert list(table.columns[:7]) == ["fpr", "tpr", "auc", "acc", "mcc", "f1", "fpr@95"]
    assert list(table.index) == ["cs OoD monitor"]
    assert table[["auc", "acc", "mcc", "f1", "fpr@95"]].to_numpy().tolist() == [[1, 1, 1, 1, 0]]


def test_results_under_either_convention_are_different_figures() -> None:
    labels = np.repeat([0, 1], 100)
    scores = np.concatenate([np.linspace(0, 1, 100), np.full(90, 2.0), np.full(10, 0.5)])
    assert ind_flagged(labels, scores) == pytest.approx(0.5)  # the last OoD frames hide among half of the InD ones
    assert ood_missed(labels, scores) == pytest.approx(0.1)


def test_ind_flagged_at_other_rates_is_another_point_of_the_curve() -> None:
    labels, scores = np.repeat([0, 1], 4), np.array([0.1, 0.2, 0.3, 0.4, 0.25, 0.35, 0.5, 0.6])
    assert ind_flagged(labels, scores, ood_caught=0.75) == 0.25
    assert ood_missed(labels, scores, ind_kept=0.75) == 0.25


def test_results_of_a_fitted_classifier_are_its_figures() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.repeat([0, 1], 100)
    X[y == 1] += 1.5
    table = get_ood_detector_results("kde", KDEClassifier(0.8).fit(X[::2], y[::2]), X[1::2], y[1::2])
    assert 0.9 < float(table["auc"].iloc[0]) < 1


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], [1, 2], [-1, 1]])
def test_results_of_labels_of_one_kind_are_refused(labels: list[int]) -> None:
    for measure in (ind_flagged, ood_missed):
        with pytest.raises(UsageError, match="0 \\(InD\\) and 1 \\(OoD\\)"):
            measure(labels, [0.1, 0.2])
    with pytest.raises(UsageError, match="both present"):
        get_ood_detector_results("x", Fixed(), np.array([[0.1], [0.2]]), labels)


def test_results_of_posteriors_of_three_classes_are_refused() -> None:
    X, y = np.arange(12.0).reshape(6, 2), np.repeat([0, 1, 2], 2)
    with pytest.raises(UsageError, match=r"\(2, 2\), got \(2, 3\)"):
        get_ood_detector_results("x", KDEClassifier().fit(X, y), X[:2], [0, 1])
