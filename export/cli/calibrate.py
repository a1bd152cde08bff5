# SPDX-License-Identifier: Apache-2.0
"""``python -m export calibrate``: refit detector and thresholds of a bundle from new frames."""

from collections.abc import Sequence

from export.calibration.recalibration_options import RecalibrationOptions
from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.flags import CommandParser, options_from
from export.cli.next_command import next_command
from export.destination import real_path
from export.detectors.registry import streaming_detectors

_EPILOG = f"""\
examples:
  python -m export calibrate monitor/ --frames drive1/ drive2/ drive3/ --group-by folder
  python -m export calibrate monitor/ --frames drives/ --group-by prefix --detector auto --false-alarm-rate 0.05 strict=0.01
  python -m export calibrate monitor/ --frames shard1/ --save-features shard1.npz --out shard1/       # on each machine
  python -m export calibrate monitor/ --features shard1.npz shard2.npz --out monitor-2/               # then once

A fit reads frames block by block for {", ".join(streaming_detectors())} and a fused detector of these, as the
default is; that of kde grows by a few per cent until its codes are full. Other detectors, --pca, --standardise and .npz files
hold the features that they read. A folder of features goes on after a cut, when the same command is typed again:
  python -m export calibrate monitor/ --frames drives/ --save-features features/ --workers 4

The network is left as it is, and so is the old bundle. Files of features joined in the order of recording give the same
detector as one pass over all frames.

{EXIT_CODES}"""


def build_parser() -> CommandParser:
    """Build the parser of the command."""
    parser = CommandParser(
        "calibrate", "Refit detector and thresholds of a bundle from new frames, with ONNX Runtime alone.", _EPILOG
    )
    parser.add_options(RecalibrationOptions)
    parser.add_options(ConsoleOptions)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command and give the exit code."""
    flags = build_parser().parse(arguments)
    console = options_from(flags, ConsoleOptions)

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.bundle_table import digest_text, print_calibrated  # here, since --help needs neither
        from export.recalibrate import recalibrate

        options = options_from(flags, RecalibrationOptions)
        result = recalibrate(options, reporter)
        if result.dropped:
            reporter.stage(f"left out of the new bundle, since only an export can make it: {', '.join(result.dropped)}")
        if not console.quiet:
            print_calibrated(options.destination, result.manifest)
            print(digest_text(result.manifest))
            replaced = real_path(options.destination) == real_path(options.bundle)
            then = ("inspect", options.bundle) if replaced else ("diff", options.bundle, options.destination)
            print(next_command("python", "-m", "lsood_runtime", *then))

    return run_command(work, console)
