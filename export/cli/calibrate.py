# SPDX-License-Identifier: Apache-2.0
"""``python -m export calibrate``: refit detector and thresholds of a bundle from new frames."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from export.cli.calibration_arguments import add_calibration_arguments, calibration_options
from export.cli.console import EXIT_CODES, ConsoleReporter, add_verbosity_arguments, run_command
from export.cli.next_command import next_command

_EPILOG = f"""\
examples:
  python -m export calibrate monitor/ --frames drive1/ drive2/ drive3/ --group-by folder
  python -m export calibrate monitor/ --frames drives/ --group-by prefix --detector auto --false-alarm-rate 0.05 strict=0.01
  python -m export calibrate monitor/ --frames shard1/ --save-features shard1.npz --out /tmp/shard1   # on each machine
  python -m export calibrate monitor/ --features shard1.npz shard2.npz --out monitor-2/               # then once

The network is left as it is, and so is the old bundle. Files of features joined in the order of recording give the same
detector as one pass over all frames.

{EXIT_CODES}"""


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m export calibrate",
        allow_abbrev=False,
        description="Refit detector and thresholds of a bundle from new frames, with ONNX Runtime alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle that export wrote")
    main = parser.add_argument_group("what goes in and out")
    main.add_argument(
        "--frames",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="in-distribution frames: folders or image files, in the order of recording",
    )
    main.add_argument(
        "--features",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="what --save-features wrote, in place of frames",
    )
    main.add_argument(
        "--save-features", type=Path, metavar="FILE", help="keep what was measured of the frames, as .npz"
    )
    main.add_argument("--out", type=Path, metavar="DIR", help="the new bundle (default: BUNDLE-recalibrated)")
    main.add_argument("--overwrite", action="store_true", help="replace a bundle at --out once the new one is whole")
    main.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: one a core)")
    add_calibration_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the PCA (default: %(default)s)")
    add_verbosity_arguments(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code comes back."""
    parser = build_parser()
    flags = parser.parse_args(arguments)
    bundle = Path(flags.bundle)
    out = flags.out or bundle.with_name(f"{bundle.name}-recalibrated")

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.bundle_table import print_calibrated  # here: --help does without what the work needs
        from export.recalibrate import RecalibrationOptions, recalibrate

        options = RecalibrationOptions(
            bundle=bundle,
            out=out,
            frames=tuple(flags.frames),
            features=tuple(flags.features),
            save_features=flags.save_features,
            calibration=calibration_options(flags),
            overwrite=flags.overwrite,
            threads=flags.threads,
        )
        result = recalibrate(options, reporter)
        if result.dropped:
            reporter.stage(f"left out of the new bundle, since only an export can make it: {', '.join(result.dropped)}")
        if not flags.quiet:
            print_calibrated(out, result.manifest)
            print(next_command("python", "-m", "lsood_runtime", "diff", bundle, out))

    return run_command(work, verbose=flags.verbose, quiet=flags.quiet)
