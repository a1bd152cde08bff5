# SPDX-License-Identifier: Apache-2.0
"""Print the result of a search as a table, or write it as CSV or JSON."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TextIO

from rich.console import Console
from rich.table import Table

from export.cli.next_command import next_command
from export.features.key import FeatureKey
from export.search.options import SearchOptions
from export.search.ranking import RankedCandidate
from export.search.search import SearchResult, export_command
from lsood_runtime.offline import CsvTable


def write_json(result: SearchResult, file: TextIO) -> None:
    """Write one JSON object for each candidate, best first."""
    json.dump([_fields(one) for one in result.ranked], file, indent=1, allow_nan=False)
    file.write("\n")


def _fields(one: RankedCandidate) -> dict[str, object]:
    worst, least = one.worst
    return {
        "features": one.candidate.features.words,
        "detector": one.candidate.detector,
        "pca": one.candidate.pca_components,
        "mean_auroc": one.mean_auroc,
        "worst_shift": worst,
        "worst_auroc": least,
        "ind_flagged@95_ood_caught": one.flagged,
        "added_ms": one.added_ms,
        **{f"auroc_{name}": value for name, value in one.auroc.items()},
    }


def write_csv(result: SearchResult, file: TextIO) -> None:
    """Write a line for each candidate, best first."""
    table = CsvTable(file)
    for one in result.ranked:
        table.write(_fields(one))


def print_search(result: SearchResult, options: SearchOptions) -> None:
    """Print the candidates, best first, and the command that exports the best."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    table = Table(title="best first; AUROC over shifts that no detector was fitted on")
    for column in ("features", "detector", "PCA", "AUROC", "worst shift", "InD flagged, 95 % caught", "added ms"):
        table.add_column(column, justify="left" if column in ("features", "detector", "worst shift") else "right")
    names = _short_names([one.candidate.features for one in result.ranked])
    for one in result.ranked:
        worst, least = one.worst
        table.add_row(
            names[one.candidate.features],
            one.candidate.detector,
            str(one.candidate.pca_components or "-"),
            f"{one.mean_auroc:.3f}",
            f"{worst} {least:.2f}",
            f"{one.flagged:.3f}",
            "-" if one.added_ms is None else f"{one.added_ms:.1f}",
        )
    console.print(table)
    for line in _guide_lines(result):
        console.print(line)
    if result.best is not None:
        best = result.best.candidate
        console.print(f"best that an export can make: {best.features.words}, {best.detector}")
        print(next_command("python", "-m", "export", *export_command(best, options)))


def _short_names(features: Sequence[FeatureKey]) -> dict[FeatureKey, str]:
    """Names of the features with the last part of the tap's name alone, where these are all different."""
    short = {key: replace(key, layer=key.layer and key.layer.rpartition(".")[2]).words for key in features}
    return short if len(set(short.values())) == len(short) else {key: key.words for key in features}


def _guide_lines(result: SearchResult) -> Iterator[str]:
    """Yield a line that compares the guide's configuration with the best candidate."""
    if result.guide is not None and result.best_beside_guide is not None:
        shifts = len(result.guide.auroc)
        yield (
            f"the guide's configuration (S = 10, fresh masks, KDE classifier fitted on mud, fog and sun flare): mean AUROC "
            f"{result.guide.mean_auroc:.3f} over the {shifts} other shifts; the best one: "
            f"{result.best_beside_guide.mean_auroc:.3f}"
        )
