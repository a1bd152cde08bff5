# SPDX-License-Identifier: Apache-2.0
"""Name the vehicles, days, and days of vehicles that differ from the rest, at one rate of false discoveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.stats import false_discovery_control

from export.fleet.differing import DayTable, compare_cells, compare_losses, compare_units
from export.fleet.vehicle_days import UNAVAILABLE, Population

VEHICLE, DAY, VEHICLE_DAY = "vehicle", "day", "vehicle-day"
KINDS = (VEHICLE, DAY, VEHICLE_DAY)
"""Kinds of what is compared; each has a rate of false discoveries of its own."""


@dataclass(frozen=True)
class FleetDifference:
    """One figure by which a vehicle, a day, or a day of a vehicle differs.

    Attributes:
        kind: of :data:`KINDS`.
        bundle: digest of the bundle's manifest.
        threshold: of the score.
        camera: its name.
        vehicle: its name; empty for a day of the whole fleet.
        day: None for a vehicle over all its days.
        figure: its name, of :attr:`Population.figures`.
        value: of the figure, over the frames of the vehicle or the day.
        usual: median of the figure over vehicles, over days, or over the vehicles on that day.
        p_value: two-sided.
        adjusted: smallest rate of false discoveries at which it is named.
    """

    kind: str
    bundle: str
    threshold: float
    camera: str
    vehicle: str
    day: date | None
    figure: str
    value: float
    usual: float
    p_value: float
    adjusted: float


@dataclass(frozen=True, eq=False)
class FigureTests:
    """The tests of one figure among all vehicles, days, or days of vehicles.

    Attributes:
        kind: of :data:`KINDS`.
        figure: its name.
        p_values: ``(V, 1)``, ``(1, D)`` or ``(V, D)``; NaN where nothing was compared.
    """

    kind: str
    figure: str
    p_values: DayTable


def compare(population: Population) -> list[FigureTests]:
    """Compare the vehicles and days of a population by each of its figures."""
    found = []
    for figure in population.figures:
        sums, sizes = population.sums[figure], population.sizes[figure]
        of_days = compare_losses if figure == UNAVAILABLE else compare_cells
        found += [
            FigureTests(VEHICLE, figure, compare_units(sums, sizes)[:, None]),
            FigureTests(DAY, figure, compare_units(sums.T, sizes.T)[None, :]),
            FigureTests(VEHICLE_DAY, figure, of_days(sums, sizes)),
        ]
    return found


def named(compared: Sequence[tuple[Population, Sequence[FigureTests]]], rate: float) -> list[FleetDifference]:
    """What differs at a rate of false discoveries, by Benjamini and Hochberg within each kind, the clearest first."""
    found: list[FleetDifference] = []
    for kind in KINDS:
        of_kind = [(population, each) for population, parts in compared for each in parts if each.kind == kind]
        tested = [each.p_values[np.isfinite(each.p_values)] for _, each in of_kind]
        if not sum(map(len, tested)):
            continue
        adjusted = false_discovery_control(np.concatenate(tested))
        ends = np.cumsum([len(values) for values in tested])[:-1]
        for (population, each), of_figure in zip(of_kind, np.split(adjusted, ends), strict=True):
            places = np.argwhere(np.isfinite(each.p_values))
            found += [
                _difference(population, each, tuple(places[place]), float(of_figure[place]))
                for place in np.flatnonzero(of_figure <= rate)
            ]
    return sorted(found, key=lambda each: (KINDS.index(each.kind), each.p_value, each.camera, each.vehicle))


def _difference(
    population: Population, comparison: FigureTests, place: tuple[int, ...], adjusted: float
) -> FleetDifference:
    row, column = place
    sums, sizes = population.sums[comparison.figure], population.sizes[comparison.figure]
    if comparison.kind == VEHICLE_DAY:
        values = population.shares(comparison.figure)[:, column]
        value = values[row]
    else:
        axis = 1 if comparison.kind == VEHICLE else 0
        total, size = np.nansum(sums, axis=axis), np.nansum(sizes, axis=axis)
        values = np.divide(total, size, out=np.full(total.shape, np.nan), where=size > 0)
        value = values[row if comparison.kind == VEHICLE else column]
    return FleetDifference(
        kind=comparison.kind,
        bundle=population.bundle,
        threshold=population.threshold,
        camera=population.camera,
        vehicle="" if comparison.kind == DAY else population.vehicles[row],
        day=None if comparison.kind == VEHICLE else population.days[column],
        figure=comparison.figure,
        value=float(value),
        usual=float(np.nanmedian(values)),
        p_value=float(comparison.p_values[row, column]),
        adjusted=adjusted,
    )
