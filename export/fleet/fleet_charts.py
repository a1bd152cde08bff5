# SPDX-License-Identifier: Apache-2.0
"""Draw the charts of a fleet as SVG text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter

from export.evaluation.svg_chart import svg_chart
from export.fleet.fleet_text import figure_axis
from export.fleet.vehicle_days import CAUSE, DayTable, Population
from lsood_runtime.offline import P_VALUE_EDGES

_FLEET, _ONE, _BAND = "#0072b2", "#d55e00", "#0072b233"
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
_LARGE, _SMALL = (4.8, 2.6), (3.6, 2.1)
_MOST_CAUSES, _MOST_DATES = 7, 6


def fleet_chart(population: Population, figure: str, marked: Sequence[int] = ()) -> str:
    """Draw a figure of the fleet by day: median, and the range of the middle 80 % of vehicles; marked days as points."""
    scale, label = figure_axis(figure)

    def draw(axes: Axes) -> None:
        middle = _band(axes, population, figure, scale)
        points = list(marked)
        if points:
            axes.plot(np.array(population.days)[points], middle[points], "o", color=_ONE, label="day that differs")
        axes.set(ylabel=label)
        axes.legend(fontsize=7, frameon=False)

    return svg_chart(draw, _LARGE)


def vehicle_chart(population: Population, figure: str, vehicle: str, marked: Sequence[int] = ()) -> str:
    """Draw a figure of one vehicle by day before the fleet's; marked days as points."""
    scale, label = figure_axis(figure)

    def draw(axes: Axes) -> None:
        _band(axes, population, figure, scale)
        line = population.shares(figure)[population.vehicles.index(vehicle)] * scale
        axes.plot(np.array(population.days), line, color=_ONE, linewidth=1.4, marker=".", markersize=3)
        days = list(marked)
        axes.plot(np.array(population.days)[days], line[days], "o", color=_ONE, markersize=6)
        axes.set(ylabel=label)

    return svg_chart(draw, _SMALL)


def cause_chart(population: Population) -> str:
    """Draw the share of frames of each cause by day, the most frequent ones; those without a fault are left out."""
    names = [figure for figure in population.figures if figure.startswith(CAUSE)]
    totals = {name: _daily(population, name) * 100 for name in names}
    ranked = sorted(names, key=lambda name: -float(np.nansum(totals[name])))

    def draw(axes: Axes) -> None:
        shown = ranked[:_MOST_CAUSES]
        rows = [np.nan_to_num(totals[name]) for name in shown]
        labels = [name.removeprefix(CAUSE) for name in shown]
        if len(ranked) > len(shown):
            rows.append(np.nansum([totals[name] for name in ranked[_MOST_CAUSES:]], axis=0))
            labels.append("other")
        axes.stackplot(np.array(population.days), rows, labels=labels, colors=_COLOURS)
        axes.set(ylabel="frames, %")
        _date_axis(axes, population)
        handles, texts = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], texts[::-1], fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

    return svg_chart(draw, _LARGE)


def p_value_chart(population: Population) -> str:
    """Draw the fleet's share of frames in each bin of p-values, over the width of the bin, against the calibration's 1."""
    counts = population.p_values.sum(axis=0)
    edges = np.array([0.0, *P_VALUE_EDGES])
    density = counts / counts.sum() / np.diff(edges) if counts.any() else np.zeros(len(counts))

    def draw(axes: Axes) -> None:
        axes.stairs(density, np.arange(len(edges)), fill=True, color=_FLEET, alpha=0.6)
        axes.axhline(1, color="grey", linestyle=":", linewidth=1)
        axes.set_xticks(range(len(edges)), [f"{edge:g}" for edge in edges], rotation=60)
        axes.set(xlabel="p-value (bins of unequal width)", ylabel="frames / calibration's")

    return svg_chart(draw, _LARGE)


def _band(axes: Axes, population: Population, figure: str, scale: float) -> DayTable:
    shares = population.shares(figure) * scale
    there = np.isfinite(shares).any(axis=0)
    low, middle, high = (np.full(len(population.days), np.nan) for _ in range(3))
    low[there], middle[there], high[there] = np.nanquantile(shares[:, there], [0.1, 0.5, 0.9], axis=0)
    axes.fill_between(np.array(population.days), low, high, color=_BAND, linewidth=0, label="80 % of vehicles")
    axes.plot(np.array(population.days), middle, color=_FLEET, linewidth=1.2, label="median vehicle")
    _date_axis(axes, population)
    return middle


def _daily(population: Population, figure: str) -> DayTable:
    sizes = np.nansum(population.sizes[figure], axis=0)
    return np.asarray(np.nansum(population.sums[figure], axis=0) / np.maximum(sizes, 1), np.float64)


def _date_axis(axes: Axes, population: Population) -> None:
    apart = -(-len(population.days) // _MOST_DATES)
    axes.set_xticks(np.array(population.days)[::apart])
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]  # of matplotlib
    axes.tick_params(axis="x", labelrotation=30)
