# SPDX-License-Identifier: Apache-2.0
"""``python -m export fleet``: merge the daily summaries of a fleet, and find the vehicles and days that differ."""

from collections.abc import Sequence

from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.fleet.options import FleetOptions

_EPILOG = f"""\
examples:
  python -m export fleet summaries/ --out fleet/    # files of lsood summary or of a SummaryRecorder
  python -m export fleet 'november/*.parquet' --rate 0.01 --out fleet/

Summaries of one vehicle, camera, day, bundle and threshold add up exactly. Compared are vehicles with the same bundle,
threshold and camera, at least ten of them on at least ten days, by their figures of whole days: alarms, frames out of
distribution, p-values, expected quality, causes, objects, invalid, late and dropped frames. A day of a vehicle is one
observation, however many frames it has; how much vehicles and days differ by nature is taken from the bulk of the fleet.

Of what is named among vehicles, among days, and among single days of vehicles, a share of --rate is expected to be there by
chance (Benjamini and Hochberg).

{EXIT_CODES}"""

_SHOWN = 20


def build_parser() -> CommandParser:
    """Build the parser of the command."""
    parser = CommandParser(
        "fleet",
        "Merge the daily summaries of a fleet, and find the vehicles and days that differ from the rest.",
        _EPILOG,
    )
    for table in (FleetOptions, ConsoleOptions):
        parser.add_options(table)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    flags = build_parser().parse(arguments)
    console = options_from(flags, ConsoleOptions)

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.shown_command import shown_command  # here, since --help needs none of these
        from export.fleet.fleet_page import write_fleet
        from export.fleet.fleet_text import difference_line, lost_line, summary_sentences

        options = options_from(flags, FleetOptions)
        figures = write_fleet(options, shown_command("fleet", arguments), reporter)
        if not console.quiet:
            for line in summary_sentences(figures):
                print(line)
            for lines in (
                [lost_line(each) for each in figures.lost_days],
                [difference_line(each) for each in figures.differences],
            ):
                for line in lines[:_SHOWN]:
                    print(f"  {line}")
                if len(lines) > _SHOWN:
                    print(f"  and {len(lines) - _SHOWN} more, in {options.out / 'fleet.json'}")
            print(next_command("open", options.out / "index.html"))

    return run_command(work, console)
