# SPDX-License-Identifier: Apache-2.0
"""Print the result of a search as a table, or write it as CSV or JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.table import Table

from export.cli.next_command import next_command
from export.cli.pipe_console import output_console
from export.evaluation.detector_ranking import Figures
from export.evaluation.hurting import AGREEMENT
from export.search.candidates import SearchCandidate
from export.search.ranked import RankedCandidate
from export.search.search import SearchResult, export_command
from lsood_runtime.offline import CsvTable, printable

_SHOWN = 25


def write_json(result: SearchResult, file: TextIO) -> None:
    """Write one JSON object for each candidate, best first."""
    json.dump([_fields(one) for one in result.ranked], file, indent=1, allow_nan=False)
    file.write("\n")


def _fields(one: RankedCandidate) -> dict[str, object]:
    worst, least = one.figures.worst
    return {
        "features": one.candidate.words(),
        "detector": one.candidate.detector,
        "pca": one.candidate.pca,
        "hurting_auroc": one.figures.hurting,
        "worst_kind": worst,
        "worst_auroc": least,
        "mean_auroc": one.figures.all_cells,
        "ind_flagged@95_ood_caught": one.figures.flagged,
        "added_ms": one.added_ms,
        **{f"auroc_{cell.name}": cell.auroc for cell in one.figures.cells},
    }


def write_csv(result: SearchResult, file: TextIO) -> None:
    """Write a line for each candidate, best first."""
    table = CsvTable(file)
    for one in result.ranked:
        table.write(_fields(one))


def print_search(result: SearchResult) -> None:
    """Print the best candidates, and the command that exports the first of them."""
    console = output_console()
    table = Table(title="best first; AUROC over shifts of drives that no detector was fitted on")
    words = ("features", "detector", "worst kind")
    for column in (*words[:2], "PCA", "hurting", words[2], "all cells", "InD flagged, 95 % caught", "added ms"):
        table.add_column(column, justify="left" if column in words else "right")
    shown = result.ranked[:_SHOWN]
    short = _short_names([one.candidate for one in result.ranked])
    for one in shown:
        worst, least = one.figures.worst
        table.add_row(
            printable(one.candidate.words(short=short)),
            one.candidate.detector,
            str(one.candidate.pca or "-"),
            f"{one.figures.hurting:.3f}",
            f"{worst} {least:.2f}",
            f"{one.figures.all_cells:.3f}",
            f"{one.figures.flagged:.3f}",
            "-" if one.added_ms is None else f"{one.added_ms:.1f}",
        )
    console.print(table)
    if len(shown) < len(result.ranked):
        console.print(f"{len(result.ranked) - len(shown)} more candidates: --out or --json gives them all")
    for line in (_judged_line(result.ranked[0].figures), *_guide_lines(result)):
        console.print(line)
    if result.best is not None:
        best = result.best.candidate
        console.print(f"best that an export can make: {printable(best.words())}, {best.detector}")
        print(next_command("python", "-m", "export", *export_command(best, result.options)))


def _short_names(listed: Sequence[SearchCandidate]) -> bool:
    """Whether layers are told apart by the last part of their names."""
    layers = {key.layer for one in listed for key in one.keys if key.layer is not None}
    return len({layer.rpartition(".")[2] for layer in layers}) == len(layers)


def _judged_line(figures: Figures) -> str:
    hurting = sum(cell.hurts for cell in figures.cells)
    if not hurting:
        return (
            f"none of the {len(figures.cells)} cells (a kind at a severity) hurts the segmentation, so that all rank: raise "
            "--severity"
        )
    return (
        f"{hurting} of {len(figures.cells)} cells (a kind at a severity) rank: those whose class maps agree with the clean "
        f"frames' on less than {AGREEMENT:.0%} of the pixels, and real out-of-distribution frames"
    )


def _guide_lines(result: SearchResult) -> Iterator[str]:
    """Yield a line that compares the guide's configuration with the best candidate."""
    if result.guide is not None and result.best_beside_guide is not None:
        yield (
            f"the guide's configuration (S = 10, fresh masks, KDE classifier fitted on mud, fog and sun flare): mean AUROC "
            f"{result.guide.all_cells:.3f} over the {len(result.guide.cells)} cells of other kinds; the best one: "
            f"{result.best_beside_guide.all_cells:.3f}"
        )
