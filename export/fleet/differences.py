# SPDX-License-Identifier: Apache-2.0
"""Name the vehicles, days, and days of vehicles that differ from the rest, at one rate of false discoveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
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
        adjusted: smallest rate of false discoveries at which the vehicle, the day, or the day of the vehicle is named.
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
    """What differs at a rate of false discoveries, the clearest first.

    Within each kind, a vehicle or a day of a camera is one hypothesis, of which Simes' p-value over its figures is taken: the
    rate of Benjamini and Hochberg is that of vehicles and days. Of one that is named, those figures are given that Benjamini
    and Hochberg reject at the rate times the share of vehicles or days that are named (Benjamini and Bogomolov, 2014).
    """
    found: list[FleetDifference] = []
    for kind in KINDS:
        of_kind = [
            (population, own)
            for population, parts in compared
            if (own := [each for each in parts if each.kind == kind])
        ]
        tables = [np.stack([each.p_values for each in parts]) for _, parts in of_kind]
        of_units = [_simes(table) for table in tables]
        tested = np.concatenate([units[np.isfinite(units)] for units in of_units] or [np.empty(0)])
        if not len(tested):
            continue
        adjusted = false_discovery_control(tested)
        level = rate * float(np.mean(adjusted <= rate))
        of_populations = iter(adjusted)
        for (population, parts), table, units in zip(of_kind, tables, of_units, strict=True):
            for place in np.argwhere(np.isfinite(units)):
                q_value, row, column = float(next(of_populations)), int(place[0]), int(place[1])
                if q_value > rate:
                    continue
                of_figures = table[:, row, column]
                told = np.flatnonzero(np.isfinite(of_figures))
                shown = told[false_discovery_control(of_figures[told]) <= level]
                found += [_difference(population, parts[figure], (row, column), q_value) for figure in shown]
    return sorted(found, key=lambda each: (KINDS.index(each.kind), each.p_value, each.camera, each.vehicle))


def _simes(p_values: NDArray[np.float64]) -> DayTable:
    """Simes' p-value over the first axis, that of the figures ``(F, V, D)``; NaN where none was tested."""
    tested = np.isfinite(p_values).sum(axis=0)
    ranks = np.arange(1, len(p_values) + 1)[:, None, None]
    in_order = np.sort(p_values, axis=0)  # NaN last
    scaled = np.where(ranks <= tested, in_order * tested / ranks, np.inf)
    return np.where(tested > 0, scaled.min(axis=0), np.nan)


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
