# SPDX-License-Identifier: Apache-2.0
"""``lsood watch``: follow the cameras of a drive, and print when an alarm begins and ends."""

import argparse
import json
import sys

from lsood_runtime._cli.arguments import (
    SOURCES,
    Commands,
    add_bundle,
    add_command,
    add_decision,
    add_outputs,
    add_pixels,
    add_providers,
    add_sources,
    alarm_policy,
    open_monitor,
    read_sources,
)
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.outputs import Outputs
from lsood_runtime._cli.tally import Tally
from lsood_runtime._cli.verdict_row import Row, without_parts
from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._media.sources import find_sources
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.policy_text import FORMS
from lsood_runtime._stream.stream import Stream
from lsood_runtime._stream.stream_assessment import StreamAssessment

_EPILOG = f"""\
Alarms: {FORMS}
  3of5                  three of the last five frames are out of distribution
  hysteresis:0.01:0.2   from a p-value of 0.01 or less until one above 0.2
  duration:0.5          all frames of half a second; cleared when half a second brought none
  cusum:1h@30           the evidence adds up (CUSUM on p-values); one false alarm an hour or fewer at 30 frames/s
`lsood inspect BUNDLE --alarm RULE --fps RATE` estimates the false-alarm rate of each.

A frame that no working camera sends (wrong size, black, the same image again) counts as out of distribution. Recordings keep
their stamps; images and videos count from 0.

exit codes: 0 no alarm, 1 at least one alarm, 2 bad usage, input or bundle

examples:
  lsood watch monitor/ drive.mcap --topic /front/image_raw --alarm cusum:1h@20 --out scored.mcap --timeline drive.png
  lsood watch monitor/ bag/ --thumbnails highest.png --rerun drive.rrd
  lsood watch monitor/ camera:0 --deadline-ms 50
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "watch", run, "follow a drive, and print when an alarm begins and ends", _EPILOG)
    add_bundle(parser)
    add_sources(parser, f"{SOURCES}; camera:0 for the first camera, until Ctrl-C")
    parser.add_argument("--alarm", type=alarm_policy, default="3of5", metavar="RULE", help=f"{FORMS} (default: 3of5)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line and frame, in place of the alarms")
    add_outputs(parser)
    add_pixels(parser)
    add_providers(parser)
    add_decision(parser)


def run(options: argparse.Namespace) -> int:
    """Assess the frames of each camera in order and print alarms; 1 where there was one."""
    sources = find_sources(options.files)
    with open_monitor(options) as monitor, Outputs(options, sources, monitor) as outputs:
        stream, delay = _start(monitor, options)
        print(
            f"watching {len(sources)} sources; an alarm comes at most {delay} out-of-distribution frames after a shift",
            file=sys.stderr,
        )
        tally, counter = Tally(), FrameCounter(shown=not options.json or not sys.stdout.isatty())
        onsets = 0
        alarmed: set[str] = set()
        try:
            for source in read_sources(options, sources, monitor.manifest.input):
                result = _judge(stream, source)
                row: Row = {"frame": source.name, **result.asdict()}
                tally.add(result.verdict)
                outputs.add(source, result.verdict, row, result)
                onsets += result.onset
                if options.json:
                    print(json.dumps(row if options.parts else without_parts(row), allow_nan=False), flush=True)
                elif result.onset or (source.camera in alarmed and not result.alarm):
                    counter.clear()
                    print(_event(source, result), flush=True)
                (alarmed.add if result.alarm else alarmed.discard)(source.camera)
                counter.show(tally.count)
        except KeyboardInterrupt:
            counter.clear()
            print("lsood: interrupted; the results so far are kept", file=sys.stderr)
        finally:
            counter.clear()
        provider = monitor.provider
        drifts = [f"{name} {stream.drift(name).population_stability_index:.2f}" for name in stream.cameras]
    print(f"{tally}, {onsets} alarms; median {tally.median_ms:.1f} ms a frame on {provider}", file=sys.stderr)
    print(f"drift of the scores (population stability index): {', '.join(drifts) or 'no frames'}", file=sys.stderr)
    return 1 if onsets else 0


def _start(monitor: OoDMonitor, options: argparse.Namespace) -> tuple[Stream, int]:
    """A stream with the chosen alarm, and the alarm's delay in frames."""
    try:
        delay = options.alarm.delay_frames(monitor.manifest.calibration, options.fps)
        return monitor.stream(options.alarm), delay
    except ValueError as error:
        raise MediaError(f"this alarm cannot work with this bundle: {error}") from error


def _judge(stream: Stream, source: SourceFrame) -> StreamAssessment:
    if source.image is None:
        return stream.report_invalid(source.fault, stamp_ns=source.stamp_ns, camera=source.camera)
    return stream.assess(source.image, stamp_ns=source.stamp_ns, camera=source.camera)


def _event(source: SourceFrame, result: StreamAssessment) -> str:
    event = "ALARM" if result.alarm else "clear"
    reason = f": {result.verdict.reason}" if result.verdict.reason else ""
    where = f"{source.camera} at {source.stamp_ns / 1e9:.3f} s ({source.name})"
    return f"{event} {where}, score {result.verdict.score:.3f}{reason}"
