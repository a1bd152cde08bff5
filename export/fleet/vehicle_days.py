# SPDX-License-Identifier: Apache-2.0
"""Figures of each vehicle and day, of those that can be compared: the same bundle, threshold and camera."""

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import DailySummary, SummaryCounts
from lsood_runtime.offline import NO_CAUSE, P_VALUE_EDGES, QUALITY_EDGES

DayTable = NDArray[np.float64]
"""``(V, D)`` by vehicle and day."""

UNAVAILABLE = "unavailable"
"""Name of the figure of frames that tell nothing: invalid ones, and those that were dropped."""

CAUSE = "cause: "
"""Before the name of a cause, in the name of its figure."""


def _centres(edges: tuple[float, ...]) -> DayTable:
    upper = np.array(edges)
    return np.asarray((upper + np.concatenate([[0.0], upper[:-1]])) / 2, np.float64)


_P_VALUES, _QUALITIES = _centres(P_VALUE_EDGES), _centres(QUALITY_EDGES)

SHARES: dict[str, Callable[[SummaryCounts], tuple[float, float]]] = {
    "alarms": lambda counts: (counts.alarms, counts.followed),
    "out of distribution": lambda counts: (counts.states["out_of_distribution"], counts.valid_frames),
    "p-value": lambda counts: (float(_P_VALUES @ counts.p_values), counts.valid_frames),
    "expected quality": lambda counts: (float(_QUALITIES @ counts.qualities), sum(counts.qualities)),
    "unknown quality": lambda counts: (counts.quality_unknown, sum(counts.qualities) + counts.quality_unknown),
    "unknown objects": lambda counts: (counts.object_frames, counts.objects_known),
    UNAVAILABLE: lambda counts: (counts.states["invalid"] + counts.dropped, counts.frames + counts.dropped),
    "invalid": lambda counts: (counts.states["invalid"], counts.frames),
    "late": lambda counts: (counts.late, counts.frames),
    "dropped": lambda counts: (counts.dropped, counts.frames + counts.dropped),
}
"""Figures by name, each a share from 0 to 1 or a mean of such: its numerator and its denominator for a day."""


@dataclass(frozen=True, eq=False)
class Population:
    """The vehicles that can be compared with each other, and their days.

    Attributes:
        bundle: digest of its manifest.
        threshold: of the score.
        camera: its name.
        vehicles: by name, in order.
        days: in order, those of any vehicle.
        sums: numerators of each figure, ``(V, D)``; NaN where a vehicle has no such day, or the figure too few frames on it.
        sizes: denominators, likewise.
        p_values: ``(D, bins)`` frames of the fleet in each bin of p-values.
        left_out: number of days of vehicles that have too few frames, and are in none of these.
    """

    bundle: str
    threshold: float
    camera: str
    vehicles: tuple[str, ...]
    days: tuple[date, ...]
    sums: dict[str, DayTable]
    sizes: dict[str, DayTable]
    p_values: DayTable
    left_out: int

    def shares(self, figure: str) -> DayTable:
        """``(V, D)`` of a figure, NaN where there is nothing to divide by."""
        sums, sizes = self.sums[figure], self.sizes[figure]
        return np.asarray(np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0), np.float64)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that were counted at all."""
        return tuple(name for name, sizes in self.sizes.items() if np.nansum(sizes) > 0)

    def __str__(self) -> str:
        """Camera, bundle and threshold."""
        return f"{self.camera}, bundle {self.bundle[:12]}, threshold {self.threshold:.4g}"


def populations(summaries: Iterable[DailySummary], min_frames: int) -> Iterator[Population]:
    """Collect the figures of merged summaries, population by population, in memory of some numbers a day.

    Args:
        summaries: sorted by key, each key once.
        min_frames: of a day that a figure needs, among those that are its denominator.
    """
    for (bundle, threshold, camera), group in itertools.groupby(summaries, key=lambda summary: summary.key[:3]):
        yield _collected(group, min_frames, bundle, threshold, camera)


def _collected(
    group: Iterable[DailySummary], min_frames: int, bundle: str, threshold: float, camera: str
) -> Population:
    places: list[tuple[str, date]] = []
    sums, sizes = {name: array("d") for name in SHARES}, {name: array("d") for name in SHARES}
    causes: dict[str, dict[int, int]] = {}
    told = array("d")
    left_out = 0
    p_values: dict[date, DayTable] = {}
    for summary in group:
        counts = summary.counts
        if counts.frames + counts.dropped < min_frames:
            left_out += 1
            continue
        for name, share in SHARES.items():
            numerator, denominator = share(counts)
            is_enough = denominator >= min_frames
            sums[name].append(numerator if is_enough else np.nan)
            sizes[name].append(denominator if is_enough else np.nan)
        for cause, count in counts.causes.items():
            causes.setdefault(cause, {})[len(places)] = count
        of_causes = sum(counts.causes.values())
        told.append(of_causes if of_causes >= min_frames else np.nan)
        p_values[summary.day] = p_values.get(summary.day, 0) + np.array(counts.p_values, np.float64)
        places.append((summary.vehicle, summary.day))
    vehicles = tuple(sorted({vehicle for vehicle, _ in places}))
    days = tuple(sorted({day for _, day in places}))
    row_of, column_of = {name: i for i, name in enumerate(vehicles)}, {day: i for i, day in enumerate(days)}
    rows = np.array([row_of[vehicle] for vehicle, _ in places], np.int64)
    columns = np.array([column_of[day] for _, day in places], np.int64)

    def table(values: Iterable[float]) -> DayTable:
        filled = np.full((len(vehicles), len(days)), np.nan)
        filled[rows, columns] = np.fromiter(values, np.float64, len(places))
        return filled

    tables = {name: table(values) for name, values in sums.items()}
    totals = {name: table(values) for name, values in sizes.items()}
    for cause in sorted(set(causes) - {NO_CAUSE}):
        totals[CAUSE + cause] = table(told)
        frames = table(causes[cause].get(i, 0) for i in range(len(places)))
        tables[CAUSE + cause] = np.where(np.isnan(totals[CAUSE + cause]), np.nan, frames)
    found = np.array([p_values[day] for day in days]).reshape(len(days), len(P_VALUE_EDGES))
    return Population(bundle, threshold, camera, vehicles, days, tables, totals, found, left_out)
