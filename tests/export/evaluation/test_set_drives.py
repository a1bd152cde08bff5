# SPDX-License-Identifier: Apache-2.0
"""Intervals from whole drives: against a plain jackknife over drives, and in simulations where the truth is known."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest, norm, t
from sklearn.metrics import roc_auc_score

from export.evaluation.drive_alarms import DriveAlarms, drive_alarms
from export.evaluation.interval import DriveCount, fewest
from export.evaluation.ood_metrics import ALONE, shift_figures
from export.evaluation.set_drives import LeftOutDrives, SetDrives, count_sides


def drives_of(rng: np.random.Generator, count: int) -> tuple[list[str], np.ndarray]:
    """Names and scores of the frames of drives that differ from one another more than their frames do."""
    sizes = rng.geometric(0.3, size=count)
    names = [f"d{i}" for i in np.repeat(np.arange(count), sizes)]
    return names, np.repeat(rng.normal(size=count), sizes) + 0.5 * rng.normal(size=sizes.sum())


def kept_by_name(names: list[str], left_out: str) -> np.ndarray:
    return np.array([name != left_out for name in names])


def test_left_out_of_sets_leaves_out_each_drive_in_all_sets_of_its_sample() -> None:
    names, others = ["b", "a", "b", "c", "a"], ["a", "b"]
    rng = np.random.default_rng(0)
    own, elsewhere = SetDrives.of_names(names, rng), SetDrives.of_names(others, rng, 1)
    degraded = own.take([3, 0])
    found = LeftOutDrives.of_sets([own, degraded, elsewhere])
    assert found.samples.tolist() == [0, 0, 0, 1, 1]
    for row, name in enumerate("abc"):
        kept = kept_by_name(names, name)
        np.testing.assert_array_equal(found.kept[0][row], kept)
        np.testing.assert_array_equal(found.kept[1][row], kept[[3, 0]])
        np.testing.assert_array_equal(found.kept[2][row], 1)
    for row, name in enumerate("ab", 3):
        np.testing.assert_array_equal(found.kept[0][row], 1)
        np.testing.assert_array_equal(found.kept[2][row], kept_by_name(others, name))


def test_set_drives_of_very_many_drives_are_joined_to_groups_of_whole_drives() -> None:
    names = [f"d{i // 2:04d}" for i in range(1200)]
    units = SetDrives.of_names(names, np.random.default_rng(0)).units.reshape(-1, 2)
    assert (units[:, 0] == units[:, 1]).all()
    assert np.bincount(units[:, 0]).tolist() == [3] * 200


def test_share_of_few_effective_drives_has_no_interval() -> None:
    hits = np.arange(90) % 7 == 0
    for drives in (1, 9, 10):
        got = SetDrives.of_names([f"d{i % drives}" for i in range(90)], np.random.default_rng(0)).share(hits)
        assert got.value == hits.mean()
        assert got.known == (drives == 10)
    long = ["long"] * 60 + [f"d{i}" for i in range(30)]
    assert not SetDrives.of_names(long, np.random.default_rng(0)).share(hits).known, "one drive has most of the frames"


def test_count_sides_takes_the_fewest_of_sides_and_samples() -> None:
    rng = np.random.default_rng(0)
    drives, other = SetDrives.of_names(["a", "b", "b", "c"], rng), SetDrives.of_names(["a", "d"], rng, 1)
    assert count_sides([[drives.take([0, 1]), drives.take([1, 3])]]).drives == 3
    assert count_sides([[drives], [drives.take([1, 2])]]).drives == 1
    assert count_sides([[drives, other]]).drives == 2
    assert fewest([DriveCount(3, 2.5), DriveCount(9, 2.0)]) == DriveCount(3, 2.0)


@pytest.mark.parametrize("apart", [False, True])
def test_auroc_interval_over_drives_is_that_of_a_plain_jackknife(apart: bool) -> None:
    """Drives that both sides share, or of two samples, whose variances add up (Arvesen 1969)."""
    rng = np.random.default_rng(3)
    names, ind = drives_of(rng, 40)
    others, ood = drives_of(rng, 30) if apart else (names, ind + rng.normal(size=len(ind)))
    ood = ood + 1
    pulls = np.array([])
    samples = [(names, others)] if not apart else [(names, [""] * len(others)), ([""] * len(names), others)]
    for first, second in samples:
        left = [name for name in dict.fromkeys([*first, *second]) if name]
        without = [
            roc_auc_score(
                np.repeat([0, 1], [kept_by_name(first, name).sum(), kept_by_name(second, name).sum()]),
                np.concatenate([ind[kept_by_name(first, name)], ood[kept_by_name(second, name)]]),
            )
            for name in left
        ]
        pulls = np.append(pulls, (np.mean(without) - np.array(without)) * np.sqrt((len(left) - 1) / len(left)))
    rng = np.random.default_rng(0)
    sides = SetDrives.of_names(names, rng), SetDrives.of_names(others, rng, int(apart))
    got = shift_figures(ind, ood, 1.0, drives=sides)["auroc"]
    variance = (pulls**2).sum()
    # Of such an area with its standard error, by a binomial of as many frames as that is worth.
    counts = [np.array([own.count(name) for name in dict.fromkeys(own)], float) for own in (names, others)]
    kish, drives = (
        min(values)
        for values in (
            [sizes.sum() ** 2 / (sizes**2).sum() for sizes in counts],
            [len(sizes) for sizes in counts],
        )
    )
    degrees = min(drives, 3 * variance**2 / (pulls**4).sum()) - 1
    worth = got.value * (1 - got.value) / variance
    worth *= (norm.ppf(0.975) / (t.ppf(0.975, degrees) * (1 + 0.3 * (1 - kish / drives)))) ** 2
    skewness = (pulls**3).sum() / variance**1.5
    below, above = worth / (1 - skewness / 2) ** 2, worth / (1 + skewness / 2) ** 2
    ends = (
        beta.ppf(0.025, got.value * below, (1 - got.value) * below + 1),
        beta.ppf(0.975, got.value * above + 1, (1 - got.value) * above),
    )
    assert abs(skewness) > 0.05
    assert kish >= 10
    assert (got.low, got.high) == pytest.approx(ends)


def test_shift_figures_of_a_side_of_few_drives_have_the_intervals_of_the_other_side_alone() -> None:
    rng = np.random.default_rng(0)
    drives = SetDrives.of_names([f"d{i}" for i in range(12)] + ["d0"], rng)
    figures = shift_figures(np.arange(13.0), np.arange(12.0), 2.5, drives=(drives, drives.take(range(12))))
    assert {name for name, figure in figures.items() if not figure.known} == set(ALONE)
    assert all(np.isfinite(figure.value) for figure in figures.values())
    alone = shift_figures(np.arange(13.0), np.array([4.0]), 2.5, drives=(drives, drives.take([0])))
    assert all(np.isfinite(figure.value) for figure in alone.values())
    assert alone["false_alarm_rate"].known
    assert not alone["auroc"].known
    assert not alone["miss_rate"].known


@pytest.mark.parametrize(("hits", "count"), [(0, 30), (30, 30)])
def test_share_of_drives_without_any_hit_counts_each_drive_once(hits: int, count: int) -> None:
    names = [f"d{i // 4}" for i in range(4 * count)]
    flags = np.full(4 * count, hits > 0)
    got = SetDrives.of_names(names, np.random.default_rng(0)).share(flags)
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
        got = SetDrives.of_names(names, rng).share(hits)
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
