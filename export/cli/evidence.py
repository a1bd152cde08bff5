# SPDX-License-Identifier: Apache-2.0
"""``python -m export evidence``: requirements of a monitor with what supports them, for a safety case."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.evidence.options import EvidenceOptions
from export.option_table import flag

_EPILOG = f"""\
examples:
  python -m export evidence monitor/ --report report/ --out evidence/
  python -m export evidence monitor/ --report report/ --certificate cuda.json --junit results.xml --out evidence/
  python -m export evidence monitor/ --report report/ --requirements team.yaml --require-supported --out evidence/

Each requirement is judged by a figure of the bundle, its report or its certificate, or by tests that were run: supported, not
supported, inconclusive where an interval contains the limit, or not measured, with the command that would measure it. Beside
them stand assumptions of use, limits, and hazards that the monitor cannot see. index.html orders all by topics of
ISO/PAS 8800, ISO 21448 (SOTIF) and ASTM F3269; it helps a safety case and claims no conformity. A file of requirements sets
limits, and adds your identifiers and requirements:

  claims:
    R-FAR-1: {{id: SYS-117, limit: 0.08, by: bound}}           # by estimate, interval or bound
    R-DET-JPEG: {{accepted: the network copes with it}}
  own:
    SYS-204: {{statement: Shifts are told apart, figure: "report/figures.json#/mean_auroc", at_least: 0.9}}
  alarm: {{policy: 3of5, frames_per_second: 10}}

{EXIT_CODES}"""


@dataclass(frozen=True)
class EvidenceOutput:
    """Options of the end of the command; each field's text is what ``--help`` says of its flag."""

    require_supported: bool = field(
        default=False,
        metadata=flag(
            "end with 7 where a requirement is neither supported nor accepted, after the pack was written", "output"
        ),
    )


def build_parser() -> CommandParser:
    """Build the parser of the command."""
    parser = CommandParser(
        "evidence",
        "Write an evidence pack: requirements with the figures and tests that support them, assumptions, limits, hazards.",
        _EPILOG,
    )
    for table in (EvidenceOptions, EvidenceOutput, ConsoleOptions):
        parser.add_options(table)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    flags = build_parser().parse(arguments)
    console, output = options_from(flags, ConsoleOptions), options_from(flags, EvidenceOutput)

    def work(reporter: ConsoleReporter) -> None:
        from export.evidence.write_evidence import write_evidence  # here, since --help does not need it

        options = options_from(flags, EvidenceOptions)
        pack = write_evidence(options, reporter)
        if not console.quiet:
            print(*pack.summary, sep="\n")
            print(next_command("open", options.out / "index.html"))
        if output.require_supported:
            pack.check_supported(str(options.out))

    return run_command(work, console)
