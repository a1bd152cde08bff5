# SPDX-License-Identifier: Apache-2.0
"""Intervals from whole drives: against SciPy's bootstrap over drives, and in simulations where the truth is known."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest, bootstrap, norm, t
from sklearn.metrics import roc_auc_score

from export.evaluation.bootstrap import DriveCount
from export.evaluation.draws import Draws, count_drives, fewer
from export.evaluation.drive_alarms import DriveAlarms, drive_alarms
from export.evaluation.ood_metrics import shift_figures


def drives_of(rng: np.random.Generator, count: int) -> tuple[list[str], np.ndarray]:
    """Names and scores of the frames of drives that differ from one another more than their frames do."""
    sizes = rng.geometric(0.3, size=count)
    names = [f"d{i}" for i in np.repeat(np.arange(count), sizes)]
    return names, np.repeat(rng.normal(size=count), sizes) + 0.5 * rng.normal(size=sizes.sum())


def test_draws_of_drives_draw_frames_of_a_drive_together() -> None:
    rng = np.random.default_rng(0)
    names = ["b", "a", "b", "c", "a"]
    counts = Draws.of_drives(names, 400, rng).counts
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    np.testing.assert_array_equal(counts[:, 0] + counts[:, 1] + counts[:, 3], 3)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.15)


def test_draws_taken_for_degraded_frames_follow_the_frames_they_were_made_of() -> None:
    draws = Draws.of_drives(["a", "b", "c", "c"], 50, np.random.default_rng(0))
    np.testing.assert_array_equal(draws.take([3, 0]).counts, draws.counts[:, [3, 0]])


def test_draws_of_few_drives_give_no_interval() -> None:
    hits = np.arange(60) % 7 == 0
    for drives in (1, 7, 8):
        got = Draws.of_drives([f"d{i % drives}" for i in range(60)], 20, np.random.default_rng(0)).share(hits)
        assert got.value == hits.mean()
        assert got.known == (drives == 8)


def test_count_drives_of_sets_of_the_same_drives_counts_each_once() -> None:
    rng = np.random.default_rng(0)
    draws, other = Draws.of_drives(["a", "b", "b", "c"], 9, rng), Draws.of_drives(["a", "d"], 9, rng)
    assert count_drives([draws.take([0, 1]), draws.take([1, 3])]).drives == 3
    assert count_drives([draws, other]).drives == 5
    assert fewer(DriveCount(3, 8.0), DriveCount(9, 2.0)) == DriveCount(3, 2.0)


def test_auroc_interval_over_drives_equals_scipys_bootstrap_of_drives() -> None:
    rng = np.random.default_rng(3)
    names, ind = drives_of(rng, 40)
    ood = ind + 1 + rng.normal(size=len(ind))
    members = [np.flatnonzero(np.asarray(names) == name) for name in dict.fromkeys(names)]

    def area(drawn: np.ndarray) -> float:
        frames = np.concatenate([members[i] for i in drawn])
        return float(roc_auc_score(np.repeat([0, 1], len(frames)), np.concatenate([ind[frames], ood[frames]])))

    error = bootstrap((np.arange(40),), area, vectorized=False, n_resamples=2000, rng=rng, method="percentile")
    draws = Draws.of_drives(names, 2000, rng)
    got = shift_figures(ind, ood, 1.0, draws=(draws, draws.take(range(len(ind)))))["auroc"]
    # Of such an area with its standard error, by a binomial of as many frames as that is worth.
    sizes = np.array([len(own) for own in members])
    worth = got.value * (1 - got.value) / (error.standard_error**2 * 40 / 39)
    degrees = (sizes.sum() ** 2 / (sizes @ sizes)) ** 2 / 40 - 1
    worth *= (norm.ppf(0.975) / t.ppf(0.975, degrees)) ** 2
    ends = (
        beta.ppf(0.025, got.value * worth, (1 - got.value) * worth + 1),
        beta.ppf(0.975, got.value * worth + 1, (1 - got.value) * worth),
    )
    assert (got.low, got.high) == pytest.approx(ends, abs=0.01)


def test_shift_figures_of_sets_that_are_not_always_drawn_are_finite() -> None:
    rng = np.random.default_rng(0)
    drives = [f"d{i}" for i in range(12)] + ["d0"]
    draws = Draws.of_drives(drives, 60, rng)
    figures = shift_figures(np.arange(13.0), np.arange(8.0), 2.5, draws=(draws, draws.take(range(8))))
    assert all(np.isfinite([figure.value, figure.low, figure.high]).all() for figure in figures.values())
    alone = shift_figures(np.arange(13.0), np.array([4.0]), 2.5, draws=(draws, draws.take([0])))
    assert all(np.isfinite(figure.value) for figure in alone.values())
    assert alone["false_alarm_rate"].known
    assert not alone["auroc"].known


@pytest.mark.parametrize(("hits", "count"), [(0, 30), (30, 30)])
def test_share_of_drives_without_any_hit_counts_each_drive_once(hits: int, count: int) -> None:
    names = [f"d{i // 4}" for i in range(4 * count)]
    flags = np.full(4 * count, hits > 0)
    got = Draws.of_drives(names, 50, np.random.default_rng(0)).share(flags)
    worth = count * (norm.ppf(0.975) / t.ppf(0.975, count - 1)) ** 2
    free = 0.025 ** (1 / worth)  # no hit among so many frames has this chance
    assert (got.low, got.high) == pytest.approx((0, 1 - free) if hits == 0 else (free, 1))


def test_share_of_drives_in_simulations_covers_the_rate() -> None:
    """One frame in ten is hit, in 40 drives that differ; of 250 draws."""
    rng, inside, narrow = np.random.default_rng(4), 0, 0
    for _ in range(250):
        sizes = rng.geometric(0.3, size=40)
        names = [f"d{i}" for i in np.repeat(np.arange(40), sizes)]
        hits = rng.random(sizes.sum()) < np.repeat(rng.beta(0.3, 2.7, size=40), sizes)
        got = Draws.of_drives(names, 200, rng).share(hits)
        alone = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95, method="exact")
        inside += got.low <= 0.1 <= got.high
        narrow += alone.low <= 0.1 <= alone.high
    assert inside / 250 > 0.9
    assert narrow < inside, "frames counted as if they were independent cover less"


def test_drive_alarms_of_several_drives_are_ordered_by_share() -> None:
    drives = ["a", "b", "a", "c", "b", "b"]
    flagged = np.array([False, True, True, False, True, False])
    rows = drive_alarms(drives, flagged)
    assert rows == (DriveAlarms("b", 3, 2), DriveAlarms("a", 2, 1), DriveAlarms("c", 1, 0))
    assert [row.mostly_flagged for row in rows] == [True, False, False]
    assert drive_alarms(["a", "a"], np.array([True, False])) == ()
