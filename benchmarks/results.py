# SPDX-License-Identifier: Apache-2.0
"""What a run of the suite wrote: the machine and its figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pack_results import pack_figures

Figure = Mapping[str, Any]


class ResultsError(Exception):
    """A file that is not what the suite writes; its message is one line with a remedy."""


@dataclass(frozen=True)
class Results:
    """One run.

    Attributes:
        machine: processor, cores, provider, threads, versions.
        date: of the run, UTC.
        commit: that was measured.
        figures: as ``record`` kept them, in the order of the run.
    """

    machine: Mapping[str, Any]
    date: str
    commit: str
    figures: Sequence[Figure]

    def of_kind(self, kind: str, **facts: Any) -> list[Figure]:
        """Figures of one kind that have these facts."""
        return [
            figure
            for figure in self.figures
            if figure["kind"] == kind and all(figure.get(name) == value for name, value in facts.items())
        ]


@dataclass(frozen=True)
class Target:
    """What a figure should be.

    Attributes:
        prefix: of the names of the ratios and differences that it judges.
        limit: of the ratio, or of the difference.
        at_least: True where more is better.
        holds: text that the name must also contain.
    """

    prefix: str
    limit: float
    at_least: bool = False
    holds: str = ""

    def judges(self, figure: Figure) -> bool:
        """Whether the target is about this figure."""
        return str(figure["name"]).startswith(self.prefix) and self.holds in f"{figure['name']} "

    def reached(self, figure: Figure) -> bool:
        """Whether the figure reaches it."""
        value = figure_value(figure)
        return value >= self.limit if self.at_least else value <= self.limit


def figure_value(figure: Figure) -> float:
    """Median of a ratio, mean of a difference."""
    return float(figure["median" if figure["kind"] == "ratio" else "mean"])


TARGETS = (
    Target("answers: score and all / alone, resnet50 256x512", 1.05, holds="S=16 "),
    Target("answers: map without a score / alone, resnet50 256x512", 1.02, holds="S=16 "),
    *(Target(f"monitored (fused) / alone, {name} 256x512", 1.03, holds="S=16 ") for name in ("resnet50", "resnet101")),
    *(
        Target(f"monitored (entropies) / alone, {name} 256x512", 1.02, holds="S=16 ")
        for name in ("resnet50", "resnet101")
    ),
    *(
        Target(f"monitored (entropies) / alone, {name} 256x512", 1.05, holds="S=128 ")
        for name in ("resnet50", "resnet101")
    ),
    Target("monitor only / alone, resnet50", 0.75),
    Target("p99/p50 monitored", 1.05),
    Target("guide / ours", 13, at_least=True, holds="S=10 "),
    Target("guide / ours", 20, at_least=True, holds="S=16 "),
    Target("one pass / ours", 2, at_least=True),
    Target("behind the network: one pass / ours", 50, at_least=True),
    Target("entropies: KD-trees / ours", 100, at_least=True),
    Target("detector / network alone, N=20000 D=58", 0.02),
    Target("score(): Python / session.run", 0.005),
    *(Target(f"int8 monitored / fp32 alone, {name}", 0.45) for name in ("resnet50", "resnet101")),
    Target("int8: AUROC lost", 0.005),
    Target("int8: mIoU lost", 0.01),
)


def read_results(path: Path) -> Results:
    """Read what ``--benchmark-json`` wrote, or the script of a GPU pack.

    Raises:
        ResultsError: the file cannot be read, or was not written by this suite.
    """
    try:
        contents = json.loads(path.read_text())
        figures: list[Figure]
        if "pack" in contents:
            figures, machine, commit = [*pack_figures(contents)], contents["machine"], contents["commit"]
        else:
            figures = [figure for run in contents["benchmarks"] for figure in run["extra_info"].get("figures", [])]
            machine = contents["machine_info"]
            commit = contents["commit_info"]["id"][:7] + ("+" if contents["commit_info"]["dirty"] else "")
        results = Results(machine, contents["datetime"][:16], commit, figures)
        complete = all("name" in figure and "kind" in figure for figure in figures) and "provider" in results.machine
    except OSError as error:
        raise ResultsError(f"expected results at {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"expected results of this suite in {path}, as `make bench` writes them") from error
    if not figures or not complete:
        raise ResultsError(f"expected figures of this suite in {path}, found none: did its benchmarks run?")
    return results


def join_results(paths: Sequence[Path]) -> Results:
    """Read one run that was written in several parts, on one machine; what a later part measured again replaces the earlier.

    Raises:
        ResultsError: a file cannot be used, or the machines, versions or providers differ.
    """
    first, *others = parts = [read_results(path) for path in paths]
    for path, part in zip(paths[1:], others, strict=True):
        if part.machine != first.machine:
            raise ResultsError(f"expected the machine of {paths[0]} in {path}, got another: compare it by --against")
    commits = dict.fromkeys(part.commit for part in parts)
    figures: list[Figure] = []
    for part in parts:
        again = {figure["name"] for figure in part.figures}
        figures = [*(figure for figure in figures if figure["name"] not in again), *part.figures]
    return Results(first.machine, first.date, " and ".join(commits), figures)
