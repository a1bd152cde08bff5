# SPDX-License-Identifier: Apache-2.0
"""``python -m export evaluate``: what a bundle tells apart and what it misses, as a table, as JSON and as a report."""

import argparse
import glob
import itertools
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, SEVERITIES
from export.atomic_write import recover_interrupted
from export.cli.console import EXIT_CODES, ConsoleReporter, add_verbosity_arguments, run_command
from export.cli.next_command import next_command
from export.errors import UsageError
from export.evaluation.options import EvaluationOptions

_EPILOG = f"""\
examples:
  python -m export evaluate monitor/ --ind day/ --ood dusk=dusk/ rain=rain1/,rain2/ --report report/
  python -m export evaluate monitor/ --ind day/ --labels day_labels/ --ignore-label 255 --every 4 --update-card
  python -m export evaluate monitor/ --ind day/ --synthetic fog mud --severities 1 3 5 --json > figures.json

Frames under --ind must be ones that neither network, detector nor thresholds have seen, best of another drive. Synthetic
anomalies are made of them, seeded; they keep their labels. --fit-frames says what other detectors, and what the tapped
features without any sampling, would have made of the same frames, whichever way it falls.

{EXIT_CODES}"""


_MANY = 8


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m export evaluate",
        allow_abbrev=False,
        description="Say what a bundle tells apart, what it misses, and whether the network fails there.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle that export or calibrate wrote")
    sets = parser.add_argument_group("frames")
    sets.add_argument("--ind", type=Path, nargs="+", required=True, metavar="PATH", help="in-distribution frames")
    sets.add_argument(
        "--ood",
        nargs="+",
        default=[],
        metavar="NAME=PATH[,PATH...]",
        help="out-of-distribution frames by name: folders, files or quoted patterns",
    )
    sets.add_argument(
        "--synthetic",
        nargs="+",
        default=["all"],
        metavar="KIND",
        help=f"anomalies to make of the in-distribution frames: all, none, or some of {', '.join(ANOMALIES)} (default: all)",
    )
    sets.add_argument(
        "--severities", type=int, nargs="+", default=list(SEVERITIES), metavar="S", help="of these (default: 1 2 3 4 5)"
    )
    sets.add_argument(
        "--every", type=int, default=1, metavar="N", help="make them of every N-th frame (default: %(default)s)"
    )
    sets.add_argument(
        "--labels", type=Path, nargs="+", default=[], metavar="DIR", help="PNG class ids under the frames' own names"
    )
    sets.add_argument(
        "--ignore-label",
        type=int,
        nargs="+",
        default=[255],
        metavar="ID",
        help="label ids without a class (default: 255)",
    )
    sets.add_argument(
        "--fit-frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="in-distribution frames to fit other detectors on, to compare with",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--operating-point", metavar="NAME", help="whose threshold counts (default: the bundle's)")
    how.add_argument("--seed", type=int, default=0, help="of anomalies and intervals (default: %(default)s)")
    how.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: one a core)")
    out = parser.add_argument_group("what comes out")
    out.add_argument(
        "--report", type=Path, metavar="DIR", help="write index.html, one file that opens offline, and figures.json"
    )
    out.add_argument("--json", action="store_true", help="figures as JSON on stdout in place of the table")
    out.add_argument(
        "--update-card", action="store_true", help="put the figures into the bundle's manifest and model card"
    )
    add_verbosity_arguments(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code comes back."""
    flags = build_parser().parse_args(arguments)

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.evaluation_table import print_evaluation  # here: --help does without what the work needs
        from export.evaluation.evaluate import evaluate
        from export.evaluation.report_page import check_report_folder, write_report
        from export.evaluation.update_card import update_card

        options = EvaluationOptions(
            bundle=flags.bundle,
            ind=tuple(flags.ind),
            ood=_named_sets(flags.ood),
            labels=tuple(flags.labels),
            ignored_labels=tuple(flags.ignore_label),
            kinds=_kinds(flags.synthetic),
            severities=tuple(flags.severities),
            every=flags.every,
            fit_frames=tuple(flags.fit_frames),
            operating_point=flags.operating_point,
            seed=flags.seed,
            threads=flags.threads,
        )
        if flags.report is not None:
            check_report_folder(flags.report)
        if flags.update_card:
            recover_interrupted(flags.bundle)
        result = evaluate(options, reporter)
        if flags.report is not None:
            reporter.stage(f"writing {flags.report}")
            write_report(result, flags.report, _command(arguments))
        if flags.update_card:
            update_card(flags.bundle, result)
        if flags.json:
            json.dump(result.asdict(), sys.stdout, indent=1, allow_nan=False)
            sys.stdout.write("\n")
        elif not flags.quiet:
            print_evaluation(result)
            if flags.report is not None:
                print(next_command("open", flags.report / "index.html"))

    return run_command(work, verbose=flags.verbose, quiet=flags.quiet)


def _command(arguments: Sequence[str]) -> str:
    """The command line; of long lists of files the first and the last alone, as a shell's pattern gave them."""
    runs = [list(run) for _, run in itertools.groupby(arguments, key=lambda word: word.startswith("--"))]
    words = [run if len(run) <= _MANY else [run[0], f"... {len(run) - 2} more ...", run[-1]] for run in runs]
    quoted = [word if word.endswith(" more ...") else shlex.quote(word) for run in words for word in run]
    return " ".join(["python -m export evaluate", *quoted])


def _named_sets(texts: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Read ``dusk=a/,b/``."""
    sets: dict[str, tuple[Path, ...]] = {}
    for text in texts:
        name, equals, paths = text.partition("=")
        kind, _, severity = name.rpartition(" ")
        if not (equals and name.strip() and paths) or not name.isprintable():
            raise UsageError(f"expected NAME=PATH[,PATH...] for out-of-distribution frames, got {text!r}")
        if name in sets or name == "in distribution" or (kind in ANOMALIES and severity.isdecimal()):
            raise UsageError(f"expected a name of its own for each set of frames, {name!r} is taken")
        sets[name] = tuple(path for pattern in paths.split(",") for path in _expand(pattern))
    return sets


def _expand(pattern: str) -> list[Path]:
    """Files behind a pattern: the shell expands none behind ``NAME=``."""
    if Path(pattern).exists() or not any(sign in pattern for sign in "*?["):
        return [Path(pattern)]
    found = sorted(Path(match) for match in glob.glob(pattern))  # noqa: PTH207  a pattern may begin anywhere
    if not found:
        raise UsageError(f"expected frames at {pattern}, found none: check the pattern")
    return found


def _kinds(words: Sequence[str]) -> tuple[str, ...]:
    if list(words) == ["all"]:
        return tuple(ANOMALIES)
    return () if list(words) == ["none"] else tuple(words)
