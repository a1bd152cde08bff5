# SPDX-License-Identifier: Apache-2.0
"""The figures of a fleet in words."""

from collections.abc import Iterator

from export.fleet.differences import DAY, KINDS, VEHICLE, VEHICLE_DAY, FleetDifference
from export.fleet.differing import FEWEST
from export.fleet.fleet_figures import FleetFigures
from export.fleet.lost_days import LostDay
from export.fleet.vehicle_days import UNAVAILABLE
from lsood_runtime.offline import counted

_UNITS = {"alarms": (1000.0, " per 1,000 frames"), "p-value": (1.0, ""), "expected quality": (1.0, "")}
_NOUNS = {
    VEHICLE: ("vehicle", "vehicles"),
    DAY: ("day of the fleet", "days of the fleet"),
    VEHICLE_DAY: ("single day of a vehicle", "single days of vehicles"),
}


def figure_value(figure: str, value: float) -> str:
    """A figure with its unit: a share in per cent, alarms per 1,000 frames, means as they are."""
    scale, unit = _UNITS.get(figure, (100.0, " %"))
    return f"{value * scale:.3g}{unit}"


def figure_axis(figure: str) -> tuple[float, str]:
    """By what a figure is multiplied for a chart, and the label of its axis."""
    scale, unit = _UNITS.get(figure, (100.0, " %"))
    means = {"p-value": "mean p-value", "expected quality": "mean expected quality"}
    return scale, means.get(figure, f"{figure},{unit}" if unit == " %" else f"{figure}{unit}")


def difference_line(difference: FleetDifference) -> str:
    """One difference in a line."""
    who = [difference.vehicle or "the fleet", "" if difference.day is None else f"on {difference.day}"]
    usual = figure_value(difference.figure, difference.usual)
    return (
        f"{' '.join(filter(None, who))}, {difference.camera}: {difference.figure} "
        f"{figure_value(difference.figure, difference.value)}, usually {usual} (q = {difference.adjusted:.2g})"
    )


def lost_line(lost: LostDay) -> str:
    """One lost day in a line."""
    return f"{lost.vehicle} on {lost.day}, {lost.camera}: lost {figure_value(UNAVAILABLE, lost.share)} of its frames"


def summary_sentences(figures: FleetFigures) -> Iterator[str]:
    """What was merged, and what differs."""
    vehicles = {vehicle for population in figures.populations for vehicle in population.vehicles}
    days = {day for population in figures.populations for day in population.days}
    cameras = {population.camera for population in figures.populations}
    yield (
        f"{counted(len(vehicles), 'vehicle', comma=',')} on {counted(len(days), 'day')}, {counted(len(cameras), 'camera')}: "
        f"{counted(figures.summaries, 'daily summary', plural='daily summaries', comma=',')} from "
        f"{counted(figures.files, 'file', comma=',')}."
    )
    if figures.days_left_out:
        yield (
            f"Left out: {counted(figures.days_left_out, 'day', comma=',')} of vehicles and cameras with fewer than "
            f"{counted(figures.options.min_frames, 'frame', comma=',')}."
        )
    if figures.lost_days:
        yield (
            f"Lost half of their frames or more: {counted(len(figures.lost_days), 'single day', comma=',')} of vehicles and "
            "cameras. They are listed whatever is usual, with no claim about chance."
        )
    if not figures.tests:
        yield (
            f"Nothing was compared: that takes at least {FEWEST} vehicles with the same bundle, threshold and camera on at "
            f"least {FEWEST} days."
        )
        return
    found = {kind: {(e.camera, e.vehicle, e.day) for e in figures.differences if e.kind == kind} for kind in KINDS}
    counts = ", ".join(counted(len(found[kind]), one, plural=several) for kind, (one, several) in _NOUNS.items())
    yield (
        f"Differ from the rest: {counts}. Of what is named of each of these kinds, {figures.options.rate:.0%} is expected to "
        f"be there by chance ({counted(figures.tests, 'comparison', comma=',')})."
    )
