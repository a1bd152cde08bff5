# SPDX-License-Identifier: Apache-2.0
"""``python -m export evaluate``: measure what a bundle detects and misses, as a table, as JSON and as a report."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.cli.shown_command import shown_command
from export.destination import check_place, claimed
from export.evaluation.options import EvaluationOptions
from export.option_table import flag
from export.reporter import Reporter

if TYPE_CHECKING:
    from export.evaluation.result import Evaluation

_EPILOG = f"""\
examples:
  python -m export evaluate monitor/ --ind day/ --ood dusk=dusk/ rain=rain1/,rain2/ --report report/
  python -m export evaluate monitor/ --ind drives/ --group-by prefix --fit-frames calibration/ --labels labels/
  python -m export evaluate monitor/ --ind day/ --labels day_labels/ --ignore-label 255 --every 4 --update-card
  python -m export evaluate monitor/ --ind day/ --synthetic fog mud --severities 1 3 5 --json > figures.json

Frames under --ind must be ones that neither network, detector nor thresholds have seen, best of another drive. Degraded
frames are made of them, seeded; they keep their labels, and are compared with them: what leaves the segmentation as it is
needs no alarm. With --group-by intervals resample whole drives. With --fit-frames other detectors, detectors on features
without any sampling, and a baseline that knows nothing but colour and contrast are fitted and compared on the same frames.

{EXIT_CODES}"""

_OUTPUT = "output"


@dataclass(frozen=True)
class EvaluationOutput:
    """Options of the output of an evaluation; each field's text is what ``--help`` says of its flag."""

    report: Path | None = field(
        default=None,
        metadata=flag("write index.html, one file that opens offline, and figures.json", _OUTPUT, metavar="DIR"),
    )
    json: bool = field(default=False, metadata=flag("figures as JSON on stdout in place of the table", _OUTPUT))
    update_card: bool = field(
        default=False, metadata=flag("put the figures into the bundle's manifest and model card", _OUTPUT)
    )


def build_parser() -> CommandParser:
    """Build the parser of the command."""
    parser = CommandParser(
        "evaluate", "Measure what a bundle detects, what it misses, and whether the network fails there.", _EPILOG
    )
    for table in (EvaluationOptions, EvaluationOutput, ConsoleOptions):
        parser.add_options(table)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    flags = build_parser().parse(arguments)
    console, output = options_from(flags, ConsoleOptions), options_from(flags, EvaluationOutput)

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.evaluation_table import print_evaluation  # here, since --help needs none of it

        options = options_from(flags, EvaluationOptions)
        shown = shown_command("evaluate", arguments)
        result = evaluate_and_write(options, output.report, shown, reporter, update=output.update_card)
        if output.json:
            json.dump(result.asdict(), sys.stdout, indent=1, allow_nan=False)
            sys.stdout.write("\n")
        elif not console.quiet:
            print_evaluation(result)
            if output.report is not None:
                print(next_command("open", output.report / "index.html"))

    return run_command(work, console)


def evaluate_and_write(
    options: EvaluationOptions, report: Path | None, shown: str, reporter: Reporter, *, update: bool
) -> "Evaluation":
    """Evaluate a bundle, and write what is asked for; whether that can be written is found out first.

    Args:
        options: of the evaluation.
        report: folder of a report; None for none.
        shown: the command or function that the report is of.
        reporter: told each stage as it begins.
        update: put the figures into the bundle's manifest and model card.

    Raises:
        UsageError: sets, labels or options that cannot be used, or a place that cannot be written to.
        BundleError: a damaged bundle, or one without the operating point.
    """
    from export.cli.bundle_table import digest_text  # here, since --help needs none of these
    from export.evaluation.evaluate import evaluate
    from export.evaluation.report_page import check_report_folder, check_report_packages, write_report
    from export.evaluation.update_card import refuse_archive, update_card

    with ExitStack() as claims:
        if report is not None:
            check_report_packages()
            claims.enter_context(claimed(report, "choose another --report"))
            check_report_folder(report)
        if update:
            refuse_archive(options.bundle)
            remedy = "copy the bundle to another folder, or leave --update-card out"
            claims.enter_context(claimed(options.bundle, remedy))
            check_place(options.bundle, remedy, size=sum(file.stat().st_size for file in options.bundle.glob("*")))
        result = evaluate(options, reporter)
        if report is not None:
            reporter.stage(f"writing {report}")
            write_report(result, report, shown)
        if update:
            reporter.stage(f"{options.bundle}: {digest_text(update_card(options.bundle, result))}")
    return result
