# SPDX-License-Identifier: Apache-2.0
"""Every figure against scikit-learn, and the intervals against what a simulation knows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from export.errors import UsageError
from export.evaluation.bootstrap import interval, resample_counts, share_interval
from export.evaluation.ood_metrics import FIGURES, ind_flagged, ood_missed, shift_figures
from tests.export.calibration.test_conformal import video


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans(), st.floats(-1, 2))
def test_shift_figures_of_any_scores_equal_scikit_learns(
    n: int, m: int, seed: int, tied: bool, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    ind, ood = rng.normal(size=n), rng.normal(1, size=m)
    if tied:
        ind, ood = ind.round(), ood.round()
    labels, scores = np.repeat([0, 1], [n, m]), np.r_[ind, ood]
    called = scores > threshold
    expected = {
        "auroc": roc_auc_score(labels, scores),
        "aupr_ood_positive": average_precision_score(labels, scores),
        "aupr_ind_positive": average_precision_score(1 - labels, -scores),
        "ind_flagged@95_ood_caught": ind_flagged(labels, scores),
        "ood_missed@95_ind_kept": ood_missed(labels, scores),
        "accuracy": accuracy_score(labels, called),
        "mcc": matthews_corrcoef(labels, called),
        "f1": f1_score(labels, called, zero_division=0.0),
        "false_alarm_rate": called[:n].mean(),
        "miss_rate": 1 - called[n:].mean(),
    }
    got = shift_figures(ind, ood, threshold, resamples=20)
    assert tuple(got) == FIGURES
    for name, value in expected.items():
        assert got[name].value == pytest.approx(value, abs=1e-12), name
        assert got[name].low <= got[name].high


@pytest.mark.parametrize(("correlation", "count", "share"), [(0.0, 150, 0.88), (0.8, 400, 0.86)])
def test_shift_figures_of_many_draws_cover_the_true_auroc(correlation: float, count: int, share: float) -> None:
    """Of 120 simulated pairs of videos; the correlated ones are worth 44 independent frames each."""
    rng = np.random.default_rng(0)
    true, inside = norm.cdf(1 / np.sqrt(2)), 0
    for i in range(120):
        ind, ood = video(rng, count, correlation), 1 + video(rng, count, correlation)
        got = shift_figures(ind, ood, 1.0, resamples=200, seed=i)["auroc"]
        inside += got.low <= true <= got.high
    assert inside / 120 > share


def test_resample_counts_of_a_video_draw_whole_blocks() -> None:
    rng = np.random.default_rng(0)
    counts = resample_counts(video(rng, 200, 0.95), 300, rng)
    assert (counts.sum(axis=1) == 200).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.5)
    neighbours = np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]
    assert neighbours > 0.7
    independent = resample_counts(np.tile([0.0, 1.0], 100), 300, rng)
    assert abs(np.corrcoef(independent[:, :-1].ravel(), independent[:, 1:].ravel())[0, 1]) < 0.1


def test_interval_of_figures_with_nan_is_the_percentiles_of_the_others() -> None:
    values = np.random.default_rng(0).normal(size=999)
    got = interval(0.0, values)
    np.testing.assert_allclose([got.low, got.high], np.quantile(values, [0.025, 0.975]))
    assert np.isnan(interval(0.5, np.array([np.nan])).low)


@pytest.mark.parametrize(("ind", "ood"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_shift_figures_without_scores_on_a_side_are_refused(ind: list[float], ood: list[float]) -> None:
    with pytest.raises(UsageError, match="on both sides"):
        shift_figures(np.array(ind), np.array(ood), 0.0)


@pytest.mark.parametrize(("hits", "count"), [(0, 101), (7, 40), (40, 40), (1, 1)])
def test_share_interval_of_independent_frames_equals_scipys(hits: int, count: int) -> None:
    alternating = np.tile([0.0, 1.0], count)[:count]  # of autocorrelation time 1
    got = share_interval(np.arange(count) < hits, alternating)
    expected = binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert (got.value, got.low, got.high) == pytest.approx((hits / count, expected.low, expected.high))


def test_share_interval_of_a_video_is_wider_and_covers_the_rate() -> None:
    rng = np.random.default_rng(0)
    true, inside, widths = norm.sf(1.0), 0, []
    for _ in range(300):
        scores = video(rng, 300, 0.8)
        got = share_interval(scores > 1.0, scores)
        inside += got.low <= true <= got.high
        widths.append(got.high - got.low)
    assert inside / 300 > 0.9
    flat = share_interval(np.arange(300) < 300 * true, np.tile([0.0, 1.0], 150))
    assert np.mean(widths) > 1.5 * (flat.high - flat.low)
