# SPDX-License-Identifier: Apache-2.0
"""``python -m export benchmark``: judge a bundle on whichever published data sets are there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from export.benchmark.options import BenchmarkOptions
from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.destination import check_not_read, claimed
from export.reporter import Reporter

if TYPE_CHECKING:
    from export.benchmark.result import BenchmarkResult

_EPILOG = f"""\
examples:
  python -m export benchmark monitor/ --root data/ --ind cityscapes --out results/ --resize crop
  python -m export benchmark monitor/ --root data/ --ind acdc:val_ref --fit acdc:train_ref --out results/
  python -m export benchmark monitor/ --root data/ --ind idd_lite --datasets camvid rugd --resize stretch --most 200 \\
      --out results/

--root holds a folder for each data set, of its name here or of its archive: data/acdc, data/dataset_AnomalyTrack. The frames
of --ind must be ones that neither network, detector nor thresholds have seen. Every other data set that is there is a shift;
parts of one, such as ACDC's fog and night, are shifts of their own. Labels are compared where a data set has the classes of
--ind and the network as many; masks of unknown objects where the bundle gives an anomaly map. Data sets tell each other apart
by camera and coding alone: give --fit, another split of --ind, to see what plain colour and contrast reach.

{EXIT_CODES}"""


def build_parser() -> CommandParser:
    """Build the parser of the command."""
    parser = CommandParser(
        "benchmark", "Judge a bundle on whichever published data sets are there, as a table and a chart.", _EPILOG
    )
    for table in (BenchmarkOptions, ConsoleOptions):
        parser.add_options(table)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    flags = build_parser().parse(arguments)
    console = options_from(flags, ConsoleOptions)

    def work(reporter: ConsoleReporter) -> None:
        from export.benchmark.markdown import markdown  # here, since --help needs none of it

        options = options_from(flags, BenchmarkOptions)
        result = benchmark_and_write(options, reporter)
        if not console.quiet:
            print(markdown(result))
            print(next_command("open", options.out / "benchmark.svg"))

    return run_command(work, console)


def benchmark_and_write(options: BenchmarkOptions, reporter: Reporter) -> "BenchmarkResult":
    """Judge a bundle and write tables and chart; whether these can be written is found out first.

    Raises:
        UsageError: data sets or options that cannot be used, or a folder that cannot be written to.
        BundleError: a damaged bundle, or one without the operating point.
    """
    from export.benchmark.run import run_benchmark  # here, since --help needs none of these
    from export.benchmark.write import check_benchmark_folder, write_benchmark

    remedy = "choose another --out"
    with claimed(options.out, remedy):
        check_benchmark_folder(options.out)
        check_not_read(options.out, options, remedy)
        result = run_benchmark(options, reporter)
        reporter.stage(f"writing {options.out}")
        write_benchmark(result, options.out)
    return result
