# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.report``: tables and plots of one run, or of two side by side."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.charts import draw_all
from benchmarks.results import TARGETS, Figure, Results, ResultsError, figure_value, join_results, read_results

_NOT_ON_A_GPU = (
    "Nothing here was run on a GPU: `--provider cuda` runs the same suite there, and has not been tried on one."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code comes back: 0 done, 2 a file that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        allow_abbrev=False,
        description="Turn the suite's JSON into a report: report.md with its plots.",
        epilog="example: python -m benchmarks.report bench/results.json --against before.json --out bench",
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="what `make bench`, --benchmark-json or the script of a GPU pack wrote",
    )
    parser.add_argument("--against", type=Path, metavar="JSON", help="an earlier run, whose ratios stand beside these")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="receives report.md and its pictures")
    flags = parser.parse_args(arguments)
    try:
        results = join_results(flags.results)
        other = read_results(flags.against) if flags.against else None
        flags.out.mkdir(parents=True, exist_ok=True)
        pictures = draw_all(results, flags.out)
        (flags.out / "report.md").write_text(render(results, pictures, other))
    except (ResultsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(flags.out / "report.md")
    return 0


def render(results: Results, pictures: dict[str, str], other: Results | None = None) -> str:
    """The report as Markdown."""
    parts = ["# Latency of every frame", _machine(results), _targets(results)]
    parts += [f"![{title}]({name})" for name, title in pictures.items()]
    parts += [_ratios(results), _latencies(results), _paced(results), _values(results)]
    if other is not None:
        parts.append(_comparison(results, other))
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) if len(lines) > 2 else ""


def _section(title: str, table: str, *notes: str) -> str:
    return "\n\n".join([f"## {title}", *notes, table]) if table else ""


def _machine(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['processor']}, {machine['cores']} cores, provider {machine['provider']}, {machine['threads']} threads"
    text = f"{where}; {versions}; {results.date} UTC, commit {results.commit}. Frames and weights are random."
    return text if machine["provider"] != "cpu" else f"{text} {_NOT_ON_A_GPU}"


def _interval(figure: Figure) -> str:
    return f"{figure['low']:.4g} to {figure['high']:.4g}"


def _targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        wanted = f"{'>=' if target.at_least else '<='} {target.limit:g}"
        judged = [figure for figure in _judgeable(results) if target.judges(figure)]
        rows += [
            (
                row["name"],
                wanted,
                f"{figure_value(row):.4g}",
                _interval(row),
                "yes" if target.reached(row) else "**no**",
            )
            for row in judged
        ]
        if not judged:
            rows.append((f"{target.prefix} {target.holds}".strip(), wanted, "not measured", "", ""))
    if not any(target.judges(figure) for target in TARGETS for figure in _judgeable(results)):
        return ""
    head = ("median ratio, pair by pair, or mean loss", "target", "measured", "95 % interval", "reached")
    return _section("Targets", _table(head, rows))


def _judgeable(results: Results) -> list[Figure]:
    return [*results.of_kind("ratio"), *results.of_kind("difference")]


def _ratios(results: Results) -> str:
    rows = [(row["name"], f"{figure_value(row):.4g}", _interval(row), row["pairs"]) for row in _judgeable(results)]
    return _section("Ratios and losses", _table(("median ratio or mean loss", "", "95 % interval", "pairs"), rows))


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}"


def _quantile(figure: Figure, name: str) -> str:
    if name not in figure["quantiles"]:
        return ""
    value, bound = figure["quantiles"][name]
    return f"{_milliseconds(value)} (<= {_milliseconds(bound)})"


def _latencies(results: Results) -> str:
    names = ("p50", "p90", "p99", "p99.9")
    rows = [
        (
            row["name"],
            row["count"],
            *(_quantile(row, name) for name in names),
            _milliseconds(row["maximum"]),
            _milliseconds(row["jitter"]),
            ", ".join(f"{rate} Hz {share:.1%}" for rate, share in row["misses"].items()),
        )
        for row in results.of_kind("latency")
    ]
    head = ("ms, closed loop", "frames", *names, "maximum", "jitter", "longer than a period")
    note = (
        "In brackets a bound that the true quantile exceeds with a probability of at most 5 %; empty where too few frames "
        "were timed to give one (p99 needs 299, p99.9 needs 2,995). Jitter: median difference between a frame and the next."
    )
    return _section("Latency", _table(head, rows), note)


def _paced(results: Results) -> str:
    rows = [
        (
            row["name"],
            f"{row['rate']:g}",
            row["offered"],
            row["dropped"],
            f"{row['late']:.1%}",
            _milliseconds(row["response"]),
            _milliseconds(row["worst"]),
        )
        for row in results.of_kind("paced")
    ]
    head = ("", "Hz", "frames", "dropped", "late", "median ms", "worst ms")
    note = (
        "The loop takes the newest frame whenever it is free. Late: the result came more than a period after its frame."
    )
    return _section("Before a camera", _table(head, rows), note)


def _values(results: Results) -> str:
    known = {"name", "kind", "what"}
    rows = [
        (row["name"], ", ".join(f"{name}: {value:.4g}" for name, value in row.items() if name not in known))
        for row in results.of_kind("values")
    ]
    return _section("Other figures", _table(("", ""), rows))


def _comparison(results: Results, other: Results) -> str:
    before: dict[Any, Figure] = {figure["name"]: figure for figure in _judgeable(other)}
    rows = []
    for figure in _judgeable(results):
        old = before.get(figure["name"])
        if old is not None:
            apart = figure["low"] > old["high"] or figure["high"] < old["low"]
            now, then = figure_value(figure), figure_value(old)
            change = f"{now / then - 1:+.1%}" if figure["kind"] == "ratio" else f"{now - then:+.4f}"
            rows.append(
                (figure["name"], f"{now:.4g}", f"{then:.4g}", change if apart else "the same within the intervals")
            )
    differing = [name for name in sorted(results.machine) if results.machine[name] != other.machine.get(name)]
    notes = [f"Against {other.date} UTC, commit {other.commit}."]
    if differing:
        notes.append(f"**The two runs differ in {', '.join(differing)}**: only ratios may be compared, and with care.")
    return _section("Compared", _table(("", "now", "before", "change"), rows), *notes)


if __name__ == "__main__":
    sys.exit(main())
