# SPDX-License-Identifier: Apache-2.0
"""``lsood score``: score frames, each on its own."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._cli.arguments import (
    Commands,
    add_bundle,
    add_command,
    add_decision,
    add_outputs,
    add_pixels,
    add_providers,
    add_sources,
    open_monitor,
    read_sources,
)
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.outputs import Outputs
from lsood_runtime._cli.tally import Tally
from lsood_runtime._cli.verdict_table import write_csv, write_json, write_table
from lsood_runtime._inference.frame_check import check_named_frame
from lsood_runtime._media.sources import find_sources, name_width
from lsood_runtime._monitor import OoDMonitor

_EPILOG = """\
Higher scores are further from the training distribution (nats for densities); above the threshold a frame is out of
distribution. The p-value is the share of in-distribution frames that score at least as high.

exit codes: 0 all frames in distribution, 1 at least one out of distribution, 2 bad usage, input or bundle

examples:
  lsood score monitor/ drive/ --json | jq '.[] | select(.is_ood) | .frame'
  lsood score monitor/ front.mp4 --provider cuda
  lsood score monitor/ drive/ --parts
  lsood score monitor/ drive/ --out scores.parquet --thumbnails highest.png --strangest 8
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "score", run, "score frames, each on its own", _EPILOG)
    add_bundle(parser)
    add_sources(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON list in place of the table")
    form.add_argument("--csv", action="store_true", help="comma-separated values in place of the table")
    add_outputs(parser)
    add_pixels(parser)
    add_providers(parser)
    add_decision(parser)


def run(options: argparse.Namespace) -> int:
    """Score each frame and print its verdict; 1 where one is out of distribution or invalid."""
    sources = find_sources(options.files)
    with open_monitor(options) as monitor, Outputs(options, sources, monitor) as outputs:
        tally = Tally()
        counter = FrameCounter(shown=options.json or not sys.stdout.isatty())
        verdicts = _verdicts(monitor, sources, options, outputs, tally, counter)
        try:
            if options.json:
                write_json(verdicts, sys.stdout, parts=options.parts)
            elif options.csv:
                names = [part.name for part in monitor.manifest.detector.parts]
                write_csv(verdicts, sys.stdout, names if options.parts else ())
            else:
                write_table(verdicts, sys.stdout, max(map(name_width, sources)), parts=options.parts)
        finally:
            counter.clear()
        provider = monitor.provider
    print(f"{tally}; median {tally.median_ms:.1f} ms a frame on {provider}", file=sys.stderr)
    return 1 if tally.out_of_distribution or tally.states[State.INVALID] else 0


def _verdicts(
    monitor: OoDMonitor,
    sources: Sequence[str],
    options: argparse.Namespace,
    outputs: Outputs,
    tally: Tally,
    counter: FrameCounter,
) -> Iterator[tuple[str, Assessment]]:
    contract = monitor.manifest.input
    for source in read_sources(options, sources, contract):
        if source.image is None:
            verdict = monitor.report_invalid(source.fault, stamp_ns=source.stamp_ns)
        else:
            check_named_frame(source.name, source.image, contract)
            verdict = monitor.assess(source.image, stamp_ns=source.stamp_ns)
        tally.add(verdict)
        outputs.add(source, verdict, {"frame": source.name, "camera": source.camera, **verdict.asdict()}, None)
        counter.show(tally.count)
        yield source.name, verdict
