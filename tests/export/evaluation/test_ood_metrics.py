# SPDX-License-Identifier: Apache-2.0
"""Every figure against scikit-learn, and the intervals against what a simulation knows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import binomtest, norm, t
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from export.errors import UsageError
from export.evaluation.interval import DriveCount, binomial_interval, jackknife_interval
from export.evaluation.ood_metrics import ALONE, FIGURES, ind_flagged, ood_missed, shift_figures
from export.evaluation.set_drives import SetDrives
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
    drives = SetDrives(np.arange(n)), SetDrives(np.arange(m), 1)
    got = shift_figures(ind, ood, threshold, drives=drives)
    assert got["auroc"].known == (min(n, m) >= 10)
    assert tuple(got) == FIGURES
    for name, value in expected.items():
        assert got[name].value == pytest.approx(value, abs=1e-12), name
        known = {"false_alarm_rate": n, "miss_rate": m}.get(name, min(n, m)) >= 10 and name not in ALONE
        assert got[name].low <= got[name].value + 1e-12 if known else np.isnan(got[name].low)
        assert got[name].high >= got[name].value - 1e-12 if known else np.isnan(got[name].high)
        assert shift_figures(ind, ood, threshold)[name].value == got[name].value


@pytest.mark.parametrize(("correlation", "drives"), [(0.0, 10), (0.9, 20)])
def test_shift_figures_of_many_draws_cover_the_true_auroc(correlation: float, drives: int) -> None:
    """Of 120 simulated pairs of sets of drives, whose levels differ as much as their frames."""
    rng, names = np.random.default_rng(0), [f"d{i // 15}" for i in range(15 * drives)]
    true, inside = norm.cdf(2 / 2), 0
    for _ in range(120):
        ind, ood = (
            level + np.concatenate([video(rng, 15, correlation) + rng.normal() for _ in range(drives)])
            for level in (0, 2)
        )
        sides = SetDrives.of_names(names, rng), SetDrives.of_names(names, rng, 1)
        got = shift_figures(ind, ood, 1.0, drives=sides)["auroc"]
        inside += got.low <= true <= got.high
    assert inside / 120 > 0.88


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 60), st.floats(0.1, 0.9), st.floats(0.001, 0.01), st.sampled_from([0.0, -1.0]))
def test_jackknife_interval_is_clopper_and_pearsons_of_the_frames_that_the_variance_is_worth(
    half: int, share: float, deviation: float, lowest: float
) -> None:
    """Equal drives; the ends are those at which the tails of a binomial hold 2.5 %, by its own distribution."""
    drives = 2 * half
    span, few = 1 - lowest, (norm.ppf(0.975) / t.ppf(0.975, drives - 1)) ** 2
    left_out = lowest + span * (share + deviation * np.tile([-1.0, 1.0], half))
    got = jackknife_interval(
        lowest + span * share,
        left_out,
        np.zeros(drives, np.int64),
        DriveCount.of_sizes(np.full(drives, 7)),
        10**9,
        lowest,
    )
    worth = max(share * (1 - share) / (deviation**2 * (drives - 1)), 1) * few
    low, high = (got.low - lowest) / span, (got.high - lowest) / span
    assert betainc(share * worth, (1 - share) * worth + 1, low) == pytest.approx(0.025, abs=1e-6)
    assert betainc(share * worth + 1, (1 - share) * worth, high) == pytest.approx(0.975, abs=1e-6)


@pytest.mark.parametrize("drives", [1, 2, 9])
def test_jackknife_interval_of_few_drives_or_no_figure_is_unknown(drives: int) -> None:
    few, many = DriveCount.of_sizes(np.full(drives, 100)), DriveCount.of_sizes(np.full(10, 100))
    sample, left_out = np.zeros(10, np.int64), np.linspace(0.4, 0.6, 10)
    assert not jackknife_interval(0.5, left_out[:drives], sample[:drives], few, 800).known
    assert not jackknife_interval(0.5, np.append(left_out[1:], np.nan), sample, many, 800).known
    assert not jackknife_interval(float("nan"), left_out, sample, many, 800).known
    assert jackknife_interval(0.5, left_out[:drives], sample[:drives], few, 800).text(".2f", ".1f") == "0.50"
    assert jackknife_interval(1.0, np.ones(10), sample, many, 9).text(".2f", ".1f", "-").startswith("1.00 (0.6-1.0)")


def test_drive_count_of_unequal_drives_is_of_fewer_that_are_equal() -> None:
    assert DriveCount.of_sizes(np.full(10, 30)) == DriveCount(10, 10.0)
    assert DriveCount.of_sizes(np.full(10, 30)).enough
    long = DriveCount.of_sizes(np.array([1] * 29 + [1000]))
    assert (long.effective < 1.1, long.enough) == (True, False)
    assert 8 < DriveCount.of_sizes(np.array([10, 20] * 5)).effective < 10


def test_jackknife_interval_of_unequal_drives_or_few_that_decide_is_wider() -> None:
    sample, left_out = np.zeros(20, np.int64), 0.5 + 0.01 * np.tile([-1.0, 1.0], 10)
    few = np.full(20, 0.5)
    few[:2] += np.array([-1.0, 1.0]) * math.sqrt(10) * 0.01  # as much variance, from two drives
    equal, unequal = DriveCount.of_sizes(np.full(20, 9)), DriveCount.of_sizes(np.array([5, 20] * 10))

    def width(values: np.ndarray, drives: DriveCount) -> float:
        got = jackknife_interval(0.5, values, sample, drives, 10**6)
        return got.high - got.low

    assert width(left_out, unequal) > width(left_out, equal)
    assert width(few, equal) > width(left_out, equal)


@settings(max_examples=60, deadline=None)
@given(st.integers(10, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.0, -1.0]))
def test_jackknife_interval_reaches_further_towards_the_few_drives_that_pull_far(
    count: int, seed: int, lowest: float
) -> None:
    """Of the same pulls, and of the same with the sign turned: a mirrored figure has the mirrored interval."""
    pulls = np.random.default_rng(seed).exponential(size=count)
    pulls *= 0.01 / pulls.std()
    skewness, sample = ((pulls - pulls.mean()) ** 3).sum(), np.zeros(count, np.int64)
    equal, middle = DriveCount.of_sizes(np.full(count, 9)), (lowest + 1) / 2
    up = jackknife_interval(middle, middle - pulls, sample, equal, math.inf, lowest)
    down = jackknife_interval(middle, middle + pulls, sample, equal, math.inf, lowest)
    assert (down.low, down.high) == pytest.approx((2 * middle - up.high, 2 * middle - up.low))
    assert (up.high - middle > middle - up.low) == (skewness > 0)


@pytest.mark.parametrize(("ind", "ood"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_shift_figures_without_scores_on_a_side_are_refused(ind: list[float], ood: list[float]) -> None:
    with pytest.raises(UsageError, match="on both sides"):
        shift_figures(np.array(ind), np.array(ood), 0.0)


@pytest.mark.parametrize(("hits", "count"), [(0, 101), (7, 40), (40, 40), (1, 1)])
def test_binomial_interval_of_whole_frames_equals_scipys(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(0.95, method="exact")
    assert binomial_interval(hits / count, count) == pytest.approx((expected.low, expected.high))
