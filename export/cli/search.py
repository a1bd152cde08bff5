# SPDX-License-Identifier: Apache-2.0
"""``python -m export search``: compare layers, features, numbers of samples and detectors."""

import argparse
import io
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from export.atomic_write import atomic_file
from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.destination import check_not_read, claimed
from export.option_table import INPUT_AND_OUTPUT, flag
from export.pipeline.network_options import NetworkOptions
from export.search.options import SearchOptions

_EPILOG = f"""\
examples:
  python -m export search --ckpt runs/best.ckpt --frames day1/ day2/ --group-by folder --samples 8 16 64
  python -m export search --ckpt runs/best.ckpt --frames day/ --ood-frames dusk/ --taps layer3 drop_block1 --block-size 6 \\
      --drop-prob 0.5
  python -m export search --ckpt runs/best.ckpt --dry-run   # what is found, guessed and missing, and the command to paste
  python -m export --ckpt runs/best.ckpt --frames day/ --list-layers     # the layers to choose from

Drives are dealt to five folds at random, contiguous blocks where --group-by tells no drives apart; each fold is scored by
detectors that the others fitted. Shifts that hurt the segmentation rank: where the class map agrees with the clean frame's on
less than 85 % of the pixels, or your own --ood-frames. Added milliseconds are measured for the best few, frame by frame with
and without the monitor.

{EXIT_CODES}"""

_DRY_RUN = "--dry-run"
_REMEDY = "choose another --out"


@dataclass(frozen=True)
class SearchOutput:
    """Options of the output of a search; each field's text is what ``--help`` says of its flag."""

    out: Path | None = field(
        default=None, metadata=flag("write every candidate to a table", INPUT_AND_OUTPUT, metavar="CSV")
    )
    json: bool = field(
        default=False, metadata=flag("every candidate as JSON on stdout in place of the table", INPUT_AND_OUTPUT)
    )


@dataclass(frozen=True)
class SearchPlanning:
    """Option of a dry run; its text is what ``--help`` says of its flag."""

    dry_run: bool = field(
        default=False,
        metadata=flag(
            "print what is found, guessed and missing, and the completed command, in place of a search; needs no --frames",
            INPUT_AND_OUTPUT,
        ),
    )


def build_parser(*, dry_run: bool = False) -> CommandParser:
    """Build the parser of the command; for a dry run the flags are the same and fewer are required."""
    parser = CommandParser(
        "search",
        "Test every combination of feature, number of samples and detector in one pass over the frames, best first.",
        _EPILOG,
    )
    if dry_run:
        parser.add_options(NetworkOptions)
    parser.add_options(SearchOptions, all_required=not dry_run)
    for table in (SearchOutput, SearchPlanning, ConsoleOptions):
        parser.add_options(table)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    dry_run = _DRY_RUN in arguments
    flags = build_parser(dry_run=dry_run).parse(arguments)
    console, output = options_from(flags, ConsoleOptions), options_from(flags, SearchOutput)

    def work(reporter: ConsoleReporter) -> None:
        if dry_run:
            _print_plan(flags, reporter)
            return
        from export.cli.search_table import print_search, write_csv, write_json  # here, since --help needs no torch
        from export.search.search import search

        options = options_from(flags, SearchOptions)
        with ExitStack() as claims:
            if output.out is not None:
                check_not_read(output.out, options, _REMEDY)
                claims.enter_context(claimed(output.out, _REMEDY, folder=False))
            result = search(options, reporter)
            if output.out is not None:
                table = io.StringIO()
                write_csv(result, table)
                with atomic_file(output.out) as file:
                    file.write(table.getvalue().encode())
        if output.json:
            write_json(result, sys.stdout)
        elif not console.quiet:
            print_search(result)

    return run_command(work, console)


def _print_plan(flags: argparse.Namespace, reporter: ConsoleReporter) -> None:
    from export.cli.plan_table import print_plan
    from export.search.plan import plan_search

    options = options_from(argparse.Namespace(**({"frames": []} | vars(flags))), SearchOptions)
    print_plan(plan_search(options, reporter))
