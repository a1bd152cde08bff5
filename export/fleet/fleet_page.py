# SPDX-License-Identifier: Apache-2.0
"""Write the figures of a fleet: one HTML file that opens offline, figures as JSON, merged summaries as Parquet."""

import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from export.atomic_write import atomic_folder
from export.destination import check_place, claimed
from export.errors import UsageError
from export.evaluation.page_text import fact_rows
from export.evaluation.report_page import check_report_packages, page_figure, page_style
from export.evaluation.report_tables import table
from export.fleet.differences import DAY, VEHICLE, VEHICLE_DAY, FleetDifference
from export.fleet.differing import FEWEST
from export.fleet.fleet_figures import MERGED, FleetFigures, fleet_figures
from export.fleet.fleet_text import figure_value, summary_sentences
from export.fleet.lost_days import LostDay
from export.fleet.merge import Merge, merge_files
from export.fleet.options import FleetOptions
from export.fleet.vehicle_days import CAUSE, UNAVAILABLE, Population
from export.reporter import SILENT, Reporter
from lsood_runtime import __version__

_MARK, _REMEDY = "fleet.json", "choose another --out"
_PAGE = Path(__file__).with_name("fleet_page.html")
_BY_DAY = ("alarms", "out of distribution", "p-value", "expected quality", "unknown objects", UNAVAILABLE)
_MOST_CHARTS, _MOST_ROWS = 24, 100


def check_fleet_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to in the end, before summaries are merged.

    Raises:
        UsageError: it cannot take its place, holds something other than figures of a fleet, or a package is missing.
    """
    check_report_packages()
    check_place(folder, _REMEDY)
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise UsageError(f"expected figures of a fleet or nothing at {folder}, found something else: {_REMEDY}")


def write_fleet(
    options: FleetOptions, command: str = "", reporter: Reporter = SILENT, merge: Merge = merge_files
) -> FleetFigures:
    """Merge, compare, and write the folder atomically; figures of a fleet that are there are replaced.

    Args:
        options: of the run.
        command: how it was made, for the page.
        reporter: of the progress.
        merge: merges the files.

    Raises:
        UsageError: as for :func:`check_fleet_folder`, another command writes the folder, or there are no summaries.
        MediaError: a file of summaries cannot be read.
    """
    with claimed(options.out, _REMEDY):
        check_fleet_folder(options.out)
        return _write_fleet(options, command, reporter, merge)


def _write_fleet(options: FleetOptions, command: str, reporter: Reporter, merge: Merge) -> FleetFigures:
    with atomic_folder(options.out) as temporary:
        merging = temporary / "merging"  # a folder without a lock, which the writer of summaries takes for itself
        merging.mkdir()
        figures = fleet_figures(options, merging / MERGED, reporter, merge)
        (merging / MERGED).rename(temporary / MERGED)
        merging.rmdir()
        reporter.stage(f"writing {options.out}")
        (temporary / _MARK).write_text(json.dumps(figures.asdict(), indent=1, allow_nan=False) + "\n")
        (temporary / "index.html").write_text(render_fleet(figures, command), encoding="utf-8")
    return figures


def render_fleet(figures: FleetFigures, command: str) -> str:
    """Render the page."""
    from export.fleet import fleet_charts  # here, since only a page needs matplotlib

    numbers = itertools.count(1)
    by_kind = {kind: [e for e in figures.differences if e.kind == kind] for kind in (VEHICLE, DAY, VEHICLE_DAY)}

    def vehicle_charts() -> Iterator[str]:
        shown = [*by_kind[VEHICLE], *by_kind[VEHICLE_DAY]]
        first = {(each.camera, each.vehicle, each.figure): each for each in reversed(shown)}
        for each in list(reversed(first.values()))[:_MOST_CHARTS]:
            population = _population(figures, each)
            days = _marked([e for e in by_kind[VEHICLE_DAY] if e.vehicle == each.vehicle], population, each.figure)
            chart = fleet_charts.vehicle_chart(population, each.figure, each.vehicle, days)
            value, usual = (figure_value(each.figure, number) for number in (each.value, each.usual))
            words = f"{each.figure}: {value}, usually {usual}" + ("" if each.day is None else f", on {each.day}")
            yield page_figure(f"{each.vehicle}, {each.camera}", words, chart, next(numbers))

    def sections() -> Iterator[str]:
        for population in figures.populations:
            charts = []
            for figure in (figure for figure in _BY_DAY if figure in population.figures):
                chart = fleet_charts.fleet_chart(population, figure, _marked(by_kind[DAY], population, figure))
                charts.append(page_figure(figure, _CAPTION, chart, next(numbers)))
            charts.append(
                page_figure("p-values of all frames", _P_VALUES, fleet_charts.p_value_chart(population), next(numbers))
            )
            if any(figure.startswith(CAUSE) for figure in population.figures):
                charts.append(page_figure("causes", _CAUSES, fleet_charts.cause_chart(population), next(numbers)))
            yield (
                f"<section><h2>The fleet by day: {escape(str(population))}</h2>"
                f'<div class="figures">{"".join(charts)}</div></section>'
            )

    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        style=page_style(),
        title="Figures of the fleet",
        created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        summary="".join(f"<p>{escape(sentence)}</p>" for sentence in summary_sentences(figures)),
        populations="".join(sections()),
        vehicles=_table(by_kind[VEHICLE], "vehicle"),
        vehicle_charts="".join(vehicle_charts()),
        days=_table(by_kind[DAY], "day"),
        vehicle_days=_table(by_kind[VEHICLE_DAY], "vehicle"),
        lost_days=_lost_table(figures.lost_days),
        facts=_facts(figures, command),
    )


_CAPTION = (
    "Line: the median vehicle of each day. Band: the middle 80 % of vehicles. Points: days that differ from the others."
)
_P_VALUES = "All frames of the fleet; at 1 a bin has as many as the calibration, above 1 on the left more are unusual."
_CAUSES = "Share of frames that show each cause of degradation; the rest shows none."


def _marked(differences: list[FleetDifference], population: Population, figure: str) -> list[int]:
    return [
        population.days.index(each.day)
        for each in differences
        if each.day is not None and each.figure == figure and _is_of(each, population)
    ]


def _is_of(each: FleetDifference, population: Population) -> bool:
    return (each.bundle, each.threshold, each.camera) == (population.bundle, population.threshold, population.camera)


def _population(figures: FleetFigures, each: FleetDifference) -> Population:
    return next(population for population in figures.populations if _is_of(each, population))


def _table(differences: list[FleetDifference], first: str) -> str:
    if not differences:
        return "<p>None.</p>"
    rows = [
        [
            each.vehicle if first == "vehicle" else str(each.day),
            *([str(each.day)] if each.kind == VEHICLE_DAY else []),
            each.camera,
            each.figure,
            figure_value(each.figure, each.value),
            figure_value(each.figure, each.usual),
            f"{each.p_value:.2g}",
            f"{each.adjusted:.2g}",
        ]
        for each in differences[:_MOST_ROWS]
    ]
    days = ["day"] if differences[0].kind == VEHICLE_DAY else []
    header = [first, *days, "camera", "figure", "value", "usual", "p-value", "q-value"]
    caption = "The clearest first. The q-value is the smallest rate of chance findings at which it is named."
    return table(header, rows, caption + _more(differences))


def _lost_table(lost: Sequence[LostDay]) -> str:
    if not lost:
        return "<p>None.</p>"
    rows = [
        [each.vehicle, str(each.day), each.camera, figure_value(UNAVAILABLE, each.share)] for each in lost[:_MOST_ROWS]
    ]
    caption = (
        "Frames that are invalid or were dropped. Listed whatever is usual in the fleet, with no claim about chance."
    )
    return table(["vehicle", "day", "camera", "lost frames"], rows, caption + _more(lost))


def _more(shown: Sequence[object]) -> str:
    return f" The first {_MOST_ROWS} of {len(shown)}." if len(shown) > _MOST_ROWS else ""


def _facts(figures: FleetFigures, command: str) -> str:
    left_out = f"figures of fewer than {figures.options.min_frames} frames of a day are left out"
    facts = {
        "command": command,
        "compared": f"{figures.tests} figures of vehicles, days and single days, of cameras with at least {FEWEST} vehicles "
        f"and {FEWEST} days; {left_out}",
        "null hypothesis": "a day of a vehicle is one observation. The level of a vehicle, over its days and against the "
        "median vehicle of each day, is one of those of the bulk of the fleet; days likewise; what is left of a "
        "single day of a vehicle beside the medians of its day and vehicle lies in the tail that the bulk shows, of "
        "unavailable frames on the side of more",
        "rate": f"of what is named of each kind, {figures.options.rate:.0%} is expected to be there by chance, by Benjamini "
        "and Hochberg (1995) over the vehicles or days of all cameras, by Simes' p-value over the figures of each; the "
        "figures by Benjamini and Bogomolov (2014)",
        "version": __version__,
    }
    return fact_rows(facts)
