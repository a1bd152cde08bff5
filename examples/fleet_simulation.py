# SPDX-License-Identifier: Apache-2.0
"""Simulates a fleet of vehicles with correlated frames, and measures what `python -m export fleet` finds, takes and needs.

    python examples/fleet_simulation.py --vehicles 100 300 1000 --days 30 --out runs/fleet

Frames of a day are correlated (fifty are worth an independent one), days of a vehicle as well, since each vehicle has a
level of its own, and all vehicles share the level of a day. Some frames are invalid or dropped on most days, many in a
burst on one day in thirty. One vehicle in a hundred has a higher level on all its days; so has one day in a thousand of a
vehicle, and on another one in a thousand its camera is dead: all frames are invalid, or all are dropped. The summaries of a
vehicle are one file. Each size is one run of the command in a process of its own.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit
from scipy.stats import norm

from lsood_runtime import DailySummary, SummaryCounts, write_summaries
from lsood_runtime.offline import P_VALUE_EDGES, QUALITY_EDGES

FIRST_DAY = date(2026, 11, 1)
BUNDLE = "5" * 64
_RATE, _THRESHOLD = 0.05, 1.645
_CORRELATION = 0.96
_CALIBRATION = 400


@dataclass(frozen=True)
class Planted:
    """What differs in truth.

    Attributes:
        vehicles: names of those with a higher level on all days.
        days: vehicle and day of the single days with a higher level.
        dead: vehicle and day of the single days without a valid frame.
    """

    vehicles: frozenset[str]
    days: frozenset[tuple[str, str]]
    dead: frozenset[tuple[str, str]]


def simulated(
    vehicles: int, days: int, seed: int, *, frames: int = 3600, plant: bool = True, shift: float = 0.9
) -> tuple[Iterator[DailySummary], Planted]:
    """Draw the daily summaries of a fleet, vehicle by vehicle.

    Args:
        vehicles: how many.
        days: of each.
        seed: of the draws.
        frames: a day.
        plant: whether some vehicles and days differ.
        shift: of the level of a planted vehicle, in standard deviations of a frame; a planted day has three times as much.
    """
    rng = np.random.default_rng(seed)
    names = [f"car-{number:04}" for number in range(vehicles)]
    levels = rng.normal(0, 0.15, (vehicles, days)) + rng.normal(0, 0.15, (vehicles, 1)) + rng.normal(0, 0.2, (1, days))
    odd = rng.permutation(vehicles)[: max(1, vehicles // 100)] if plant else np.empty(0, np.int64)
    others = np.setdiff1d(np.arange(vehicles), odd)
    each = max(1, vehicles * days // 1000) if plant else 0
    cells = rng.permutation(len(others) * days)[: 2 * each]
    places = [(int(others[cell // days]), int(cell % days)) for cell in cells]
    levels[odd] += shift
    for place in places[:each]:
        levels[place] += 3 * shift
    dead = {place: i % 2 for i, place in enumerate(places[each:])}  # 0: all frames are invalid, 1: all are dropped
    single, gone = (
        frozenset((names[row], str(FIRST_DAY + timedelta(day))) for row, day in found)
        for found in (places[:each], places[each:])
    )
    usual = rng.binomial(
        frames, expit(-7 + rng.normal(0, 0.7, (2, vehicles, days)) + rng.normal(0, 0.7, (2, vehicles, 1)))
    )
    usual = usual + (rng.random(usual.shape) < 1 / 30) * rng.binomial(frames, expit(rng.normal(-4, 1, usual.shape)))

    def draw() -> Iterator[DailySummary]:
        for row, name in enumerate(names):
            noise = rng.normal(size=(days, frames)) * np.sqrt(1 - _CORRELATION**2)
            noise[:, 0] /= np.sqrt(1 - _CORRELATION**2)
            scores = lfilter([1], [1, -_CORRELATION], noise, axis=1) + levels[row][:, None]
            for day, of_day in enumerate(scores):
                invalid, dropped = np.minimum(usual[:, row, day], frames // 3)
                if (row, day) in dead:
                    invalid, dropped = (frames, 0) if dead[row, day] == 0 else (0, frames)
                counts = counts_of(of_day[invalid + dropped :], rng)
                counts.states["invalid"], counts.dropped = int(invalid), int(dropped)
                yield DailySummary(name, "front", FIRST_DAY + timedelta(day), BUNDLE, _THRESHOLD, counts)

    return draw(), Planted(frozenset(names[row] for row in odd), single, gone)


def counts_of(scores: NDArray[np.float64], rng: np.random.Generator) -> SummaryCounts:
    """The counts of a day whose frames have standard normal scores."""
    p_values = np.maximum(1, np.ceil(norm.sf(scores) * (_CALIBRATION + 1))) / (_CALIBRATION + 1)
    is_ood = p_values <= _RATE
    alarm = np.convolve(is_ood, np.ones(5), "full")[: len(scores)] >= 3 if len(scores) else is_ood
    quality = np.clip(0.75 - 0.05 * scores + rng.normal(0, 0.03, len(scores)), 0, 1)
    counts = SummaryCounts()
    counts.states["out_of_distribution"] = int(is_ood.sum())
    counts.states["ok"] = int((~is_ood).sum())
    counts.p_values = np.bincount(np.searchsorted(P_VALUE_EDGES, p_values), minlength=len(P_VALUE_EDGES)).tolist()
    counts.qualities = np.bincount(np.searchsorted(QUALITY_EDGES, quality), minlength=len(QUALITY_EDGES)).tolist()
    fog = int((scores > 2).sum())
    counts.causes = {"none": len(scores) - fog, "fog": fog}
    counts.followed, counts.alarm_frames = len(scores), int(alarm.sum())
    counts.alarms = int((alarm & ~np.concatenate([[False], alarm[:-1]])).sum())
    return counts


def judged(figures: dict[str, Any], planted: Planted) -> dict[str, int]:
    """How many planted vehicles and days were found or listed, and how many that are not planted."""
    differences = figures["differences"]
    vehicles = {str(each["vehicle"]) for each in differences if each["kind"] == "vehicle"}
    single = [each for each in differences if each["kind"] == "vehicle-day"]
    days = {(str(each["vehicle"]), str(each["day"])) for each in single}
    dead = {(str(each["vehicle"]), str(each["day"])) for each in figures["lost_days"]}
    by_chance = {day for day in (days | dead) - planted.days - planted.dead if day[0] not in planted.vehicles}
    fleet_days = {str(each["day"]) for each in differences if each["kind"] == "day"}
    return {
        "vehicles found": len(vehicles & planted.vehicles),
        "vehicles by chance": len(vehicles - planted.vehicles),
        "days found": len(days & planted.days),
        "dead days found": len(dead & planted.dead),
        "days by chance": len(by_chance),
        "fleet days by chance": len(fleet_days),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate each size, run the command on it, and print a row of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[100, 300, 1000], metavar="N", help="of each fleet")
    parser.add_argument("--days", type=int, default=30, help="of each vehicle (default: 30)")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True)
    print(
        "| vehicles | daily summaries | time | processor time | memory | planted vehicles found | by chance "
        "| planted days found | dead days found | by chance |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for vehicles in options.vehicles:
        folder = options.out / f"summaries-{vehicles}"
        folder.mkdir()
        summaries, planted = simulated(vehicles, options.days, options.seed)
        for vehicle, of_vehicle in itertools.groupby(summaries, key=lambda summary: summary.vehicle):
            write_summaries(of_vehicle, folder / f"{vehicle}.parquet")
        fleet, start = options.out / f"fleet-{vehicles}", time.perf_counter()
        command = [sys.executable, "-m", "export", "fleet", str(folder), "--out", str(fleet), "--quiet"]
        child = os.posix_spawn(command[0], command, os.environ)
        _, status, usage = os.wait4(child, 0)
        if status:
            return os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        found = judged(json.loads((fleet / "fleet.json").read_text()), planted)
        print(
            f"| {vehicles:,} | {vehicles * options.days:,} | {seconds:.1f} s "
            f"| {usage.ru_utime + usage.ru_stime:.1f} s | {usage.ru_maxrss / 1024:.0f} MiB "
            f"| {found['vehicles found']} of {len(planted.vehicles)} | {found['vehicles by chance']} "
            f"| {found['days found']} of {len(planted.days)} | {found['dead days found']} of {len(planted.dead)} "
            f"| {found['days by chance']} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
