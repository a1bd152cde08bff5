# SPDX-License-Identifier: Apache-2.0
"""Merge the daily summaries of a fleet, and find what differs in it."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.errors import UsageError
from export.fleet.differences import FigureTests, FleetDifference, compare, named
from export.fleet.lost_days import LostDay, lost_days
from export.fleet.merge import Merge, merge_files
from export.fleet.options import FleetOptions
from export.fleet.vehicle_days import Population, populations
from export.reporter import SILENT, Reporter
from lsood_runtime import MediaError, read_summaries
from lsood_runtime.offline import counted, distinct_files, find_files, finite_or_none

MERGED = "summaries.parquet"
"""Name of the file of merged summaries."""


@dataclass(frozen=True)
class FleetFigures:
    """Figures of a fleet.

    Attributes:
        options: of the run.
        files: of summaries that were merged.
        summaries: vehicles, cameras and days in them.
        populations: those with figures.
        tests: number of comparisons.
        differences: named ones, the clearest first.
        lost_days: those on which a camera lost most of its frames, whatever was compared.
        days_left_out: number of days of vehicles and cameras that have fewer frames than the options ask for.
    """

    options: FleetOptions
    files: int
    summaries: int
    populations: tuple[Population, ...]
    tests: int
    differences: tuple[FleetDifference, ...]
    lost_days: tuple[LostDay, ...]
    days_left_out: int

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures."""
        fleets = [
            {
                "bundle": population.bundle,
                "threshold": population.threshold,
                "camera": population.camera,
                "vehicles": len(population.vehicles),
                "days": [str(day) for day in population.days],
                "figures": list(population.figures),
            }
            for population in self.populations
        ]
        rows = [dataclasses.asdict(each) for each in self.differences]
        for row in rows:
            row["day"] = None if row["day"] is None else str(row["day"])
            row["value"], row["usual"] = finite_or_none(row["value"]), finite_or_none(row["usual"])
        return {
            "files": self.files,
            "summaries": self.summaries,
            "rate": self.options.rate,
            "min_frames": self.options.min_frames,
            "days_left_out": self.days_left_out,
            "tests": self.tests,
            "populations": fleets,
            "differences": rows,
            "lost_days": [{**dataclasses.asdict(each), "day": str(each.day)} for each in self.lost_days],
        }


def fleet_figures(
    options: FleetOptions, merged: Path, reporter: Reporter = SILENT, merge: Merge = merge_files
) -> FleetFigures:
    """Merge summaries into a file, and compare vehicles and days.

    Args:
        options: of the run.
        merged: the file to write; its folder exists.
        reporter: of the progress.
        merge: merges the files.

    Raises:
        UsageError: no files of summaries, or none of them holds frames enough.
        MediaError: a file cannot be read or written.
    """
    paths = summary_files(options.summaries)
    reporter.stage(f"merging {counted(len(paths), 'file', comma=',')} of daily summaries")
    count = merge(paths, merged, reporter)
    compared = list[tuple[Population, list[FigureTests]]]()
    left_out = 0
    reporter.stage(f"comparing {counted(count, 'day', comma=',')} of vehicles and cameras")
    for population in populations(read_summaries(merged), options.min_frames):
        left_out += population.left_out
        if population.vehicles:
            compared.append((population, compare(population)))
    if not compared:
        raise UsageError(
            f"expected days of at least {counted(options.min_frames, 'frame')}, found none: lower --min-frames, or pass more "
            "summaries"
        )
    tests = sum(int(np.isfinite(each.p_values).sum()) for _, parts in compared for each in parts)
    found = tuple(population for population, _ in compared)
    return FleetFigures(
        options=options,
        files=len(paths),
        summaries=count,
        populations=found,
        tests=tests,
        differences=tuple(named(compared, options.rate)),
        lost_days=tuple(itertools.chain.from_iterable(map(lost_days, found))),
        days_left_out=left_out,
    )


def summary_files(sources: Sequence[Path]) -> list[Path]:
    """The files behind files, folders of them and patterns; one that is named or found twice once.

    Raises:
        UsageError: there is none.
    """
    try:
        paths = find_files(sources, lambda path: path.suffix == ".parquet", "files of daily summaries")
    except MediaError as error:
        raise UsageError(
            f"{error}" if ": " in str(error) else f"{error}: name files that lsood summary wrote"
        ) from error
    if not paths:
        raise UsageError("expected files of daily summaries, got none: name files that lsood summary wrote")
    return distinct_files(paths)
