# SPDX-License-Identifier: Apache-2.0
"""``python -m export search``: which layer, how many samples, which detector."""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from export.anomalies import ANOMALIES, SEVERITIES
from export.atomic_write import atomic_file
from export.cli.console import EXIT_CODES, ConsoleReporter, add_verbosity_arguments, run_command
from export.cli.network_arguments import add_network_arguments, add_sampling_arguments, network_options
from export.detectors.registry import DETECTORS, detectors_on_ind_frames
from export.errors import UsageError
from export.pipeline.options import ExportOptions
from export.search.options import SearchOptions

_EPILOG = f"""\
examples:
  python -m export search --ckpt runs/best.ckpt --frames day1/ day2/ --group-by folder --samples 8 16 64
  python -m export search --ckpt runs/best.ckpt --frames day/ --ood-frames dusk/ --taps layer3 drop_block1 --block-size 6 \\
      --drop-prob 0.5
  python -m export --ckpt runs/best.ckpt --frames day/ --list-layers     # what there is to tap

Frames are split in two halves, whole drives where --group-by tells them apart; each half is scored by detectors that the
other fitted. Without --ood-frames the frames are spoilt in ways that no detector was fitted on. Added milliseconds are
measured pair by pair, for the best few.

{EXIT_CODES}"""


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m export search",
        allow_abbrev=False,
        description="Judge taps x samples x detectors in one pass over the frames, best first.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main = parser.add_argument_group("what goes in and out")
    main.add_argument("--ckpt", type=Path, required=True, metavar="FILE", help="checkpoint, as for an export")
    main.add_argument(
        "--frames",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="in-distribution frames, in order of recording",
    )
    main.add_argument(
        "--ood-frames", type=Path, nargs="+", default=[], metavar="PATH", help="out-of-distribution frames"
    )
    main.add_argument("--out", type=Path, metavar="CSV", help="write every candidate to a table")
    main.add_argument("--json", action="store_true", help="every candidate as JSON on stdout in place of the table")
    grid = parser.add_argument_group("what is looked at")
    grid.add_argument(
        "--taps",
        nargs="+",
        default=[],
        metavar="NAME",
        help="layers, each on its own (default: the one DropBlock layer)",
    )
    grid.add_argument(
        "--samples", type=int, nargs="+", default=[8, 16, 64], metavar="S", help="samples a frame (default: 8 16 64)"
    )
    grid.add_argument(
        "--detectors",
        nargs="+",
        choices=list(DETECTORS),
        default=list(detectors_on_ind_frames()),
        metavar="KIND",
        help=f"of {', '.join(DETECTORS)} (default: {' '.join(detectors_on_ind_frames())})",
    )
    grid.add_argument(
        "--pca",
        type=int,
        nargs="+",
        default=[0],
        metavar="N",
        help="whitened components before them; 0: none (default: 0)",
    )
    judged = parser.add_argument_group("how it is judged")
    judged.add_argument(
        "--shifts",
        nargs="+",
        default=list(ANOMALIES),
        choices=list(ANOMALIES),
        metavar="KIND",
        help=f"synthetic shifts, where no OoD frames are given: of {', '.join(ANOMALIES)} (default: all)",
    )
    judged.add_argument("--severity", type=int, choices=SEVERITIES, default=3, help="of these (default: %(default)s)")
    judged.add_argument(
        "--every", type=int, default=4, metavar="N", help="spoil every N-th frame (default: %(default)s)"
    )
    judged.add_argument(
        "--group-by", default="none", metavar="RULE", help="folder, prefix, none or a table, as for an export"
    )
    judged.add_argument("--timed", type=int, default=3, metavar="N", help="time the best N (default: %(default)s)")
    judged.add_argument("--no-guide", action="store_true", help="leave the guide's own configuration out")
    add_network_arguments(parser)
    sampling = parser.add_argument_group("sampling")
    add_sampling_arguments(sampling)
    sampling.add_argument("--seed", type=int, default=0, help="of masks, shifts and PCA (default: %(default)s)")
    add_verbosity_arguments(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command; the exit code comes back."""
    flags = build_parser().parse_args(arguments)
    taps = [name for word in flags.taps for name in word.split(",") if name]

    def work(reporter: ConsoleReporter) -> None:
        from export.cli.search_table import print_search, write_csv, write_json  # here: --help does without torch
        from export.search.search import search

        if flags.out is not None and not flags.out.parent.is_dir():
            raise UsageError(f"expected the folder {flags.out.parent} to exist, it does not: make it first")
        options = SearchOptions(
            export=ExportOptions(
                frames=tuple(flags.frames), out=Path("monitor"), tap=tuple(taps), **network_options(flags)
            ),
            samples=tuple(sorted(set(flags.samples))),
            detectors=tuple(flags.detectors),
            components=tuple(flags.pca),
            ood_frames=tuple(flags.ood_frames),
            kinds=tuple(flags.shifts),
            severity=flags.severity,
            every=flags.every,
            group_by=flags.group_by,
            timed=flags.timed,
            guide=not flags.no_guide,
        )
        result = search(options, reporter)
        if flags.out is not None:
            table = io.StringIO()
            write_csv(result, table)
            with atomic_file(flags.out) as file:
                file.write(table.getvalue().encode())
        if flags.json:
            write_json(result, sys.stdout)
        elif not flags.quiet:
            print_search(result, options)

    return run_command(work, verbose=flags.verbose, quiet=flags.quiet)
