# SPDX-License-Identifier: Apache-2.0
"""``lsood score``: score frames, each on its own."""

import argparse
import sys
from collections.abc import Iterator

from lsood_runtime._answers import answer_names
from lsood_runtime._assessment import Assessment, State
from lsood_runtime._cli.arguments import (
    Commands,
    add_bundle,
    add_command,
    add_decision,
    add_outputs,
    add_pixels,
    add_sources,
    add_trust,
    read_sources,
)
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.opened_monitor import open_monitor
from lsood_runtime._cli.outputs import Outputs
from lsood_runtime._cli.provider_flags import add_providers
from lsood_runtime._cli.run_end import end_code, exit_code, report_outputs, report_unread
from lsood_runtime._cli.stop_signals import StopSignals
from lsood_runtime._cli.tally import Tally
from lsood_runtime._cli.terminal import say
from lsood_runtime._cli.tile_flags import add_tiles, stated_tile_check
from lsood_runtime._cli.verdict_table import write_csv, write_json, write_table
from lsood_runtime._command_start import Stopped
from lsood_runtime._inference.frame_check import check_named_frame
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._media.sources import SourceReader, find_sources, name_width
from lsood_runtime._monitor import OoDMonitor

_EPILOG = """\
Higher scores are further from the training distribution (nats for densities); above the threshold a frame is out of
distribution. The p-value is the share of in-distribution frames that score at least as high.

Where the bundle answers more than the score, each frame has its expected mIoU, or its expected agreement with the class map
of the clean frame, with an interval, the cause and severity of a degradation, and the abnormal tiles of the picture; --json,
--csv and --out hold them too.

A frame that cannot be read, has another size than the bundle's, or of which a quarter is black, saturated or of one colour
(sky and night left out), is invalid, with the reason. Whatever ends the run, what was scored until then is kept in the files
of --out.

exit codes: 0 all frames in distribution, 1 at least one out of distribution, of low quality or invalid, 2 bad usage, input or
bundle, 3 unexpected error, 4 an output could not be written (a full disk; the others go on), 129 or 143 SIGHUP or SIGTERM,
130 Ctrl-C

examples:
  lsood score monitor/ drive/ --json | jq '.[] | select(.is_ood) | .frame'
  lsood score monitor/ front.mp4 --provider cuda
  lsood score monitor/ drive/ --parts
  lsood score monitor/ drive/ --out scores.parquet --thumbnails highest.png --highest 8
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "score", run, "score frames, each on its own", _EPILOG)
    add_bundle(parser)
    add_trust(parser)
    add_sources(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON list in place of the table")
    form.add_argument("--csv", action="store_true", help="comma-separated values in place of the table")
    add_outputs(parser)
    add_pixels(parser)
    add_providers(parser)
    add_decision(parser)
    add_tiles(parser, in_a_row=False)


def run(options: argparse.Namespace) -> int:
    """Score each frame and print its verdict; 1 where one is out of distribution, of low quality or invalid."""
    sources = find_sources(options.files)
    tally, stop = Tally(), None
    with StopSignals() as signals, open_monitor(options, stated_tile_check(options)) as monitor:
        report_idle_flags(options, sources, part_count=len(monitor.manifest.detector.parts))
        reader = read_sources(options, sources, monitor.manifest)
        outputs = Outputs(options, sources, monitor, signals)
        try:
            with outputs:
                _print_verdicts(options, max(map(name_width, sources)), monitor, reader, outputs, tally)
            outputs.stdout.flush()
        except BaseException as error:  # whatever it is, the summary of what was scored comes before it
            if not tally.count and not isinstance(error, KeyboardInterrupt | Stopped):
                raise
            stop = error
        provider = monitor.provider
        outputs.stdout.flush()
    if tally.count:
        say(f"{tally}; {tally.describe_latency(provider)}")
    report_unread(tally, reader.notes, reader.failures)
    report_outputs(outputs, tally)
    if stop is not None:
        return end_code(stop, tally)
    found = bool(tally.out_of_distribution or tally.states[State.INVALID] or tally.states[State.LOW_QUALITY])
    return exit_code(found, bool(reader.failures), outputs.failed)


def _print_verdicts(
    options: argparse.Namespace,
    name_width: int,
    monitor: OoDMonitor,
    reader: SourceReader,
    outputs: Outputs,
    tally: Tally,
) -> None:
    counter = FrameCounter(shown=options.json or not sys.stdout.isatty())
    verdicts = _verdicts(monitor, reader, outputs, tally, counter)
    try:
        if options.json:
            write_json(verdicts, outputs.stdout, parts=options.parts)
        elif options.csv:
            names = [part.name for part in monitor.manifest.detector.parts]
            write_csv(verdicts, outputs.stdout, names if options.parts else (), answer_names(monitor.manifest.answers))
        else:
            answers = monitor.manifest.answers is not None
            write_table(verdicts, outputs.stdout, name_width, parts=options.parts, answers=answers)
    finally:
        counter.clear()


def assessed(monitor: OoDMonitor, reader: SourceReader) -> Iterator[tuple[SourceFrame, Assessment]]:
    """The frames of a reader, each with the verdict on it alone.

    Raises:
        MediaError: no source gave a frame; of a strict reader also a frame or a source that cannot be read.
        FrameError: of a strict reader, a frame that breaks the input contract.
    """
    for source in reader:
        if source.image is None:
            yield source, monitor.report_invalid(source.fault, stamp_ns=source.stamp_ns)
        else:
            if reader.strict:
                check_named_frame(source.name, source.image, monitor.manifest.input)
            yield source, monitor.assess(source.image, stamp_ns=source.stamp_ns)


def _verdicts(
    monitor: OoDMonitor, reader: SourceReader, outputs: Outputs, tally: Tally, counter: FrameCounter
) -> Iterator[tuple[str, Assessment]]:
    for source, verdict in assessed(monitor, reader):
        tally.add(verdict, source.fault)
        outputs.add(source, verdict, {"frame": source.name, "camera": source.camera, **verdict.asdict()}, None)
        counter.show(tally.count)
        yield source.name, verdict
        if not outputs.left:
            return
