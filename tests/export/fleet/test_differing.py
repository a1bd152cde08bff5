# SPDX-License-Identifier: Apache-2.0
"""Tests of vehicles and days: p-values against simulation, few false discoveries without a difference, planted ones found."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import false_discovery_control
from scipy.stats import t as student

from export.fleet import differing
from export.fleet.differing import compare_cells, compare_losses, compare_units

DayTable = NDArray[np.float64]
FRAMES = 36_000.0


def fleet(
    rng: np.random.Generator, vehicles: int, days: int, *, mean: float, share: float = 0.2
) -> tuple[DayTable, DayTable]:
    """Counts of a fleet without a difference: overdispersed, with levels of vehicles and of days of their own."""
    level = rng.normal(size=(vehicles, 1)) * np.sqrt(share) + rng.normal(size=(1, days))
    level = level + rng.normal(size=(vehicles, days)) * np.sqrt(1 - share)
    return rng.poisson(mean * np.exp(0.3 * level)).astype(np.float64), np.full((vehicles, days), FRAMES)


def any_named(p_values: DayTable) -> bool:
    known = p_values[np.isfinite(p_values)]
    return bool(len(known)) and bool((false_discovery_control(known) <= 0.05).any())


@pytest.mark.parametrize("mean", [0.05, 300])
def test_fleets_without_a_difference_are_seldom_called_different(mean: float) -> None:
    rng, named = np.random.default_rng(0), np.zeros(3)
    for _ in range(15):
        sums, sizes = fleet(rng, 40, 15, mean=mean)
        found = compare_units(sums, sizes), compare_units(sums.T, sizes.T), compare_cells(sums, sizes)
        named += [any_named(p_values) for p_values in found]
    assert (named <= 3).all(), named


@pytest.mark.slow
@pytest.mark.parametrize("vehicles", [15, 100, 500])
@pytest.mark.parametrize("mean", [0.05, 5, 300])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_false_discovery_rate_is_kept_over_many_fleets(vehicles: int, mean: float, share: float) -> None:
    """Without a difference every discovery is false, and the rate is the share of fleets with any."""
    rng, runs, named = np.random.default_rng(1), 20_000 // (vehicles * 2 + 100), np.zeros(3)
    for _ in range(runs):
        sums, sizes = fleet(rng, vehicles, 30, mean=mean, share=share)
        found = compare_units(sums, sizes), compare_units(sums.T, sizes.T), compare_cells(sums, sizes)
        named += [any_named(p_values) for p_values in found]
    assert (named / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)).all(), named / runs


def losses(rng: np.random.Generator, vehicles: int, days: int, kind: str) -> tuple[DayTable, DayTable]:
    """Lost frames of a fleet: none, a mean number with levels of vehicles and days, or bursts on some days."""
    shape, name, number = (vehicles, days), *kind.split()
    if name == "bursts":
        burst = rng.binomial(3600, expit(rng.normal(-4.5, 1, shape)))
        lost = rng.poisson(0.2, shape) + (rng.random(shape) < float(number)) * burst
    else:
        spread = {"even": 0.0, "mean": 0.5, "wide": 1.2, "t3": 0.5, "noisier": 0.5}[name]
        levels = sum(rng.normal(0, spread, size) for size in ((vehicles, 1), (1, days)))
        if name == "noisier":  # a tenth of the vehicles by three times
            levels = (
                levels + rng.normal(0, spread, shape) * np.where(np.arange(vehicles) * 10 < vehicles, 3, 1)[:, None]
            )
        else:
            levels = levels + spread * (rng.standard_t(3, shape) if name == "t3" else rng.normal(size=shape))
        lost = rng.binomial(3600, expit(logit(float(number) / 3600) + levels))
    return lost.astype(np.float64), np.full(shape, 3600.0)


LOSSES = [
    "even 0",
    "even 0.1",
    "mean 0.5",
    "mean 3",
    "mean 12",
    "mean 200",
    "wide 0.5",
    "wide 5",
    "bursts 0.03",
    "bursts 0.2",
    "t3 12",
    "noisier 12",
]


NARROW = LOSSES[:7]
"""Fleets whose usual losses scatter so little that a single dead day is beyond their tail."""


@pytest.mark.parametrize("kind", LOSSES)
def test_fleet_without_a_dead_day_is_seldom_called_different_and_one_in_a_narrow_fleet_is_named(kind: str) -> None:
    rng, found, named = np.random.default_rng(2), 0, 0
    for _ in range(10):
        sums, sizes = losses(rng, 40, 15, kind)
        named += any_named(compare_losses(sums, sizes))
        sums[17, 4] = sizes[17, 4]
        adjusted = false_discovery_control(compare_losses(sums, sizes).ravel()).reshape(sums.shape)
        found += adjusted[17, 4] <= 0.05
    assert named <= 1
    assert found == 10 or kind not in NARROW


@pytest.mark.slow
@pytest.mark.parametrize("vehicles", [15, 100, 500])
@pytest.mark.parametrize("kind", LOSSES)
def test_false_discovery_rate_of_losses_is_kept_over_many_fleets(vehicles: int, kind: str) -> None:
    rng, runs = np.random.default_rng(3), 20_000 // (vehicles * 2 + 100)
    named = sum(any_named(compare_losses(*losses(rng, vehicles, 30, kind))) for _ in range(runs))
    assert named / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("share", [0.005, 0.012, 0.026, 0.044, 0.1])
@pytest.mark.parametrize("vehicles", [30, 60])
def test_dead_days_do_not_set_the_scale_by_which_they_are_judged(share: float, vehicles: int) -> None:
    """However many are dead, up to a tenth, all are named, and the rate of others is kept over fleets."""
    rng, by_chance = np.random.default_rng(6), []
    for _ in range(8):
        sums, sizes = losses(rng, vehicles, 20, "mean 200")
        chosen = rng.permutation(sums.size)[: round(share * sums.size)]
        dead = np.isin(np.arange(sums.size), chosen).reshape(sums.shape)
        sums[dead] = sizes[dead]
        for compared in (compare_losses, compare_cells):
            named = false_discovery_control(compared(sums, sizes).ravel()).reshape(sums.shape) <= 0.05
            assert named[dead].all()
            by_chance.append((named & ~dead).sum() / named.sum())
    assert np.mean(by_chance) <= 0.05


def test_p_values_of_losses_are_those_of_student_by_hand() -> None:
    rng = np.random.default_rng(8)
    sums, sizes = rng.poisson(400 * np.exp(rng.normal(0, 0.5, (40, 30)))).astype(np.float64), np.full((40, 30), 3600.0)
    sums[3, 7] = 3500
    odds = np.log((sums + 3.6) / (sizes - sums + 3.6))
    left = odds - np.median(odds)
    for _ in range(3):
        left -= np.median(left, axis=0, keepdims=True)
        left -= np.median(left, axis=1, keepdims=True)
    upper = np.sort(left.ravel())[600:]
    body, tail = np.quantile(upper, [0.5, 0.98])
    every = np.linspace(1.5, 30, 100_000)
    ratio = student.isf(0.01, every) / student.isf(0.25, every)
    degrees = every[np.argmin(np.abs(ratio - tail / body))]
    scale = max(tail / student.isf(0.01, degrees), body / student.isf(0.25, degrees))
    p_values = compare_losses(sums, sizes)
    assert p_values[3, 7] == pytest.approx(2 * student.sf(left[3, 7] / scale, degrees), rel=0.01)
    assert (p_values[left <= 0] == 1).all()


def test_planted_vehicle_and_day_are_named_and_hardly_anything_else() -> None:
    by_chance = 0
    for seed in range(6):
        sums, sizes = fleet(np.random.default_rng(seed), 60, 20, mean=300)
        sums[7] *= 3
        sums[20, 4] *= 20
        vehicles = np.flatnonzero(false_discovery_control(compare_units(sums, sizes)) <= 0.05).tolist()
        cells = compare_cells(sums, sizes)
        days = np.argwhere(false_discovery_control(cells.ravel()).reshape(cells.shape) <= 0.05).tolist()
        assert 7 in vehicles
        assert [20, 4] in days
        by_chance += len(vehicles) + len(days) - 2
    assert by_chance <= 2


def test_planted_vehicle_of_rare_alarms_is_named() -> None:
    rng = np.random.default_rng(5)
    sums, sizes = rng.poisson(0.1, (80, 30)).astype(np.float64), np.full((80, 30), FRAMES)
    sums[11] = rng.poisson(2, 30)
    assert np.flatnonzero(false_discovery_control(compare_units(sums, sizes)) <= 0.05).tolist() == [11]


@pytest.mark.parametrize("rate", [0.03, 0.5, 4])
def test_tail_of_ranks_is_that_of_permutations_within_days(rate: float) -> None:
    """Pearson type III by three cumulants against 2,000 permuted fleets, whose vehicles are exchangeable on each day."""
    rng = np.random.default_rng(0)
    shares = rng.poisson(rate, (40, 25)) / FRAMES
    scores, variances, thirds = differing._normal_scores(shares)
    z = np.array([rng.permuted(scores, axis=0).sum(axis=1) for _ in range(2000)]).ravel() / np.sqrt(variances.sum())
    skew = np.full(3, thirds.sum() / variances.sum() ** 1.5)
    upper = np.quantile(z, [0.95, 0.99, 0.999])
    simulated = np.array([(z >= each).mean() for each in upper])
    told = differing._two_sided(upper, skew) / 2
    assert (np.abs(np.log(told / simulated)) < np.log(2.2)).all(), (told, simulated)


def test_levels_of_a_normal_fleet_have_as_few_small_p_values_as_they_should() -> None:
    rng = np.random.default_rng(4)
    p_values = np.concatenate([compare_units(*fleet(rng, 400, 12, mean=500)) for _ in range(3)])
    for level in (0.5, 0.1, 0.01):
        assert 0.3 * level <= np.mean(p_values <= level) <= 1.25 * level, level


def test_fleets_that_are_too_small_or_empty_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    for vehicles, days in ((9, 30), (30, 9)):
        sums, sizes = fleet(rng, vehicles, days, mean=300)
        assert np.isnan(compare_units(sums, sizes)).all()
        assert np.isnan(compare_cells(sums, sizes)).all()
        assert np.isnan(compare_losses(sums, sizes)).all()
    nothing = np.zeros((20, 20))
    for compared in (
        compare_units(nothing, nothing),
        compare_units(nothing, nothing + FRAMES),
        compare_cells(nothing, nothing),
    ):
        assert np.isnan(compared).all()


def test_missing_days_are_left_out_and_change_no_other_vehicle_much() -> None:
    sums, sizes = fleet(np.random.default_rng(6), 50, 20, mean=300)
    sums[3] *= 3
    sums[10, 2:] = np.nan
    sums[11, ::2] = sizes[11, ::2] = np.nan
    p_values = compare_units(sums, sizes)
    assert np.isnan(p_values[10])
    assert np.isfinite(np.delete(p_values, 10)).all()
    assert np.nanargmin(p_values) == 3
    assert np.isnan(compare_cells(sums, sizes)[10, 2:]).all()
    assert np.isnan(compare_losses(sums, sizes)[10, 2:]).all()
