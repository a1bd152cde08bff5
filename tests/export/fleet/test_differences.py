# SPDX-License-Identifier: Apache-2.0
"""What is named: the rate of false discoveries is that of vehicles and days, of which each has many figures."""

from datetime import date, timedelta

import numpy as np
from scipy.stats import false_discovery_control, norm

from export.fleet.differences import KINDS, VEHICLE_DAY, FigureTests, named
from export.fleet.lost_days import lost_days
from export.fleet.vehicle_days import Population, populations
from lsood_runtime import SummaryCounts
from tests.lsood_runtime.fleet.drawn_summaries import drawn_frames, summary_of

FIGURES = tuple("abcdefgh")
VEHICLES, DAYS = 30, 20


def test_rate_is_that_of_days_where_faults_are_shared_by_many_figures() -> None:
    """Faulty days differ by all eight figures; where each figure counted alone, 4 of 10 days would be there by chance."""
    rng, shape = np.random.default_rng(0), (VEHICLES, DAYS)
    table = dict.fromkeys(FIGURES, np.ones(shape))
    days = tuple(date(2026, 11, 1) + timedelta(i) for i in range(DAYS))
    fleet = Population(
        "5" * 64, 1.0, "front", tuple(f"{i:02}" for i in range(VEHICLES)), days, table, table, np.ones(1), 0
    )
    shares, alone = [], []
    for _ in range(40):
        faults = rng.permutation(VEHICLES * DAYS)[:8]
        z = rng.normal(size=(len(FIGURES), VEHICLES * DAYS))
        z[:, faults] += 6
        p_values = 2 * norm.sf(np.abs(z))
        tests = [FigureTests(VEHICLE_DAY, name, p.reshape(shape)) for name, p in zip(FIGURES, p_values, strict=True)]
        found = {int(e.vehicle) * DAYS + days.index(e.day) for e in named([(fleet, tests)], 0.05) if e.day is not None}
        rows = np.flatnonzero((false_discovery_control(p_values.ravel()) <= 0.05).reshape(p_values.shape).any(axis=0))
        assert set(faults) <= found
        shares.append(len(found - set(faults)) / len(found))
        alone.append(len(set(rows) - set(faults)) / len(rows))
    assert np.mean(shares) <= 0.05 + 3 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(alone) > 0.15


def test_figures_that_were_not_compared_are_left_out_of_a_unit() -> None:
    p_values = np.full((2, 1, 2), np.nan)
    p_values[0, 0] = 1e-4, 0.5
    table = {name: np.ones((1, 2)) for name in "ab"}
    days = (date(2026, 11, 1), date(2026, 11, 2))
    fleet = Population("5" * 64, 1.0, "front", ("car",), days, table, table, np.ones(1), 0)
    tests = [FigureTests(kind, name, p) for kind in KINDS[2:] for name, p in zip("ab", p_values, strict=True)]
    (found,) = named([(fleet, tests), (fleet, [])], 0.05)
    assert (found.figure, found.day, found.adjusted) == ("a", days[0], 2e-4)


def test_days_that_lost_half_are_listed_in_the_smallest_fleet_and_days_of_few_frames_are_counted() -> None:
    whole, half, less, few = (summary_of(drawn_frames(seed, 10), f"car-{seed}") for seed in range(4))
    half.counts, less.counts = SummaryCounts(dropped=50), SummaryCounts(dropped=49)
    half.counts.states["ok"], less.counts.states["ok"] = 50, 51
    few.counts = SummaryCounts(dropped=9)
    whole.counts = SummaryCounts()
    whole.counts.states["ok"] = 100
    (population,) = populations([whole, half, less, few], min_frames=10)
    (lost,) = lost_days(population)
    assert (lost.vehicle, lost.share, population.left_out) == ("car-1", 0.5, 1)
