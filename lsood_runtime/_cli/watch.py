# SPDX-License-Identifier: Apache-2.0
"""``lsood watch``: follow the cameras of a drive, and print when an alarm begins and ends."""

import argparse
import json
import sys
import time

from lsood_runtime._answers import answer_words, quality_name
from lsood_runtime._bundle.answer_sentences import new_drives_words
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._cli.alarm_rule import (
    AlarmRule,
    describe_frame_rates,
    describe_rule,
    describe_short_drive,
    find_alarm_rule,
    find_quality_rule,
)
from lsood_runtime._cli.arguments import (
    SOURCES,
    Commands,
    add_bundle,
    add_command,
    add_decision,
    add_outputs,
    add_pixels,
    add_sources,
    add_trust,
    alarm_rule,
    positive_number,
    read_sources,
    seconds_or_never,
    tile_share,
)
from lsood_runtime._cli.followed_drive import SILENT, FollowedDrive
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.opened_monitor import open_monitor
from lsood_runtime._cli.outputs import Outputs
from lsood_runtime._cli.provider_flags import add_providers
from lsood_runtime._cli.run_end import describe_oddities, exit_code, report_outputs, report_stop, report_unread
from lsood_runtime._cli.stop_signals import StopSignals
from lsood_runtime._cli.tally import Tally
from lsood_runtime._cli.terminal import say
from lsood_runtime._cli.tile_flags import add_tiles, stated_tile_check
from lsood_runtime._cli.verdict_row import Row, without_parts
from lsood_runtime._command_start import Stopped
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._media.sources import SourceReader, find_sources, source_count
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.policy_text import FORMS
from lsood_runtime._stream.quality_drift import QualityAlarm
from lsood_runtime._stream.shown_images import FROZEN_TOLERANCE
from lsood_runtime._stream.stream import Stream
from lsood_runtime._stream.stream_assessment import StreamAssessment
from lsood_runtime._text.counted import counted

_EPILOG = f"""\
Alarms: {FORMS}
  1/h                   by the bundle: the shortest rule with at most one false alarm an hour at --fps frames/s (default)
  3of5                  three of the last five frames are out of distribution
  hysteresis:0.01:0.2   from a p-value of 0.01 or less until one above 0.2
  duration:0.5          all frames of half a second; cleared when half a second brought none
  duration:0.5:2        the same, cleared when two seconds brought none
  cusum:1h@30           the evidence adds up (CUSUM on p-values), for at most one false alarm an hour at 30 frames/s
--quality-alarm takes the same rules for the expected quality: the lower its lower end, the further a frame is from the clean
ones of the calibration. Its alarms are counted apart, and set the exit code as well.
The delay and the limit of false alarms are printed first; `lsood inspect BUNDLE --alarm RULE --fps RATE` prints them alone.

A frame that no working camera sends (wrong size, black, one image for a second, a quarter of the picture black or frozen), or
that cannot be read, counts as out of distribution. Recordings keep their stamps; images and videos count from 0. Whatever
ends the run, what was scored until then is kept: the files of --out first, then the pictures. A kill that cannot be caught
(SIGKILL) leaves .NAME.PID.partial, where CSV and JSON lines are whole and MCAP lacks its last 256 KB at most; of Parquet it
leaves .NAME.PID.partial.jsonl, its rows.

exit codes: 0 no alarm, 1 at least one alarm, 2 no alarm, and bad usage, input or bundle, 3 unexpected error, 4 no alarm, and
an output could not be written (a full disk; the others go on), 129 or 143 SIGHUP or SIGTERM; Ctrl-C ends a run as the end
of its input does

examples:
  lsood watch monitor/ drive.mcap --topic /front/image_raw --alarm cusum:1h@20 --out scored.mcap --timeline drive.png
  lsood watch monitor/ bag/ --thumbnails highest.png --rerun drive.rrd
  lsood watch monitor/ camera:0 --deadline-ms 50
"""

_FIRST_FRAME_S = 10.0  # that a camera of this machine may take to start


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "watch", run, "follow a drive, and print when an alarm begins and ends", _EPILOG)
    add_bundle(parser)
    add_trust(parser)
    add_sources(parser, f"{SOURCES}; camera:0 for the first camera, until Ctrl-C")
    parser.add_argument("--alarm", type=alarm_rule, default="1/h", metavar="RULE", help=f"{FORMS} (default: 1/h)")
    parser.add_argument(
        "--quality-alarm",
        type=alarm_rule,
        metavar="RULE",
        help="raise an alarm of its own where the expected mIoU or agreement falls, as by mud that grows; a rule as for "
        "--alarm, such as cusum:1h@30 (default: none)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line and frame, in place of the alarms")
    parser.add_argument(
        "--max-age",
        type=positive_number,
        default=1.0,
        metavar="SECONDS",
        help="a camera that sends nothing for longer, while others of the recording do, is invalid (default: 1)",
    )
    parser.add_argument(
        "--frozen-after",
        type=seconds_or_never,
        default=1.0,
        metavar="SECONDS",
        help="a camera that sends the same image for as long is invalid, and one of which a part of the picture stands still "
        "for twice as long and --tile-frames more frames; never switches both off (default: 1)",
    )
    parser.add_argument(
        "--frozen-tolerance",
        type=tile_share,
        default=FROZEN_TOLERANCE,
        metavar="SHARE",
        help=f"share of a picture's 256 tiles that may change in one that is not new; 0 for the same bytes alone, as for a "
        f"camera whose noise is below a grey level (default: {FROZEN_TOLERANCE:g})",
    )
    add_outputs(parser)
    add_pixels(parser)
    add_providers(parser)
    add_decision(parser)
    add_tiles(parser, in_a_row=True)


def run(options: argparse.Namespace) -> int:
    """Assess the frames of each camera in order and print alarms; 1 where there was one."""
    sources = find_sources(options.files)
    stop = None
    with StopSignals() as signals, open_monitor(options, stated_tile_check(options)) as monitor:
        report_idle_flags(options, sources, part_count=len(monitor.manifest.detector.parts))
        rule = find_alarm_rule(options.alarm, monitor.manifest, options.fps, monitor.operating_point)
        falls = find_quality_rule(options.quality_alarm, monitor.manifest, options.fps, monitor.operating_point)
        stream = monitor.stream(
            rule.policy,
            quality_policy=None if falls is None else falls.policy,
            frozen_after_s=options.frozen_after,
            frozen_tolerance=options.frozen_tolerance,
        )
        reader = read_sources(options, sources, monitor.manifest, lambda: watch.wait(reader.current))
        outputs = Outputs(options, sources, monitor, signals)
        outputs.name_rules(str(rule.policy), "" if falls is None else str(falls.policy))
        watch = _Watch(monitor, stream, outputs, options)
        try:
            with outputs:
                say(*_describe_start(source_count(sources), rule))
                if falls is not None:
                    say(describe_rule(falls, f"alarm of the {quality_name(monitor.manifest.answers)}"))
                if options.min_quality is not None:
                    say(_describe_min_quality(options.min_quality, monitor.manifest))
                watch.follow(reader)
            outputs.stdout.flush()
        except BaseException as error:  # whatever it is, the summary of what was scored comes before it
            if not watch.tally.count and not isinstance(error, KeyboardInterrupt | Stopped):
                raise
            stop = error
        provider = monitor.provider
        drifts = [f"{name} {stream.drift(name)}" for name in stream.cameras]
        oddities = [short] if (short := describe_short_drive(stream, rule)) else []
        oddities += describe_frame_rates(stream, rule)
        oddities += [
            f"{name}: {words}" for name in stream.cameras if (words := describe_oddities(stream.summary(name)))
        ]
        outputs.stdout.flush()
    tally = watch.tally
    if stop is not None:
        report_stop(stop, tally)
    if tally.count or stop is not None or not reader.failures:
        fell = "" if falls is None else f", {counted(watch.quality_onsets, 'quality alarm')}"
        say(f"{tally}, {counted(watch.onsets, 'alarm')}{fell}; {tally.describe_latency(provider)}")
        say(f"drift of the scores (population stability index): {'; '.join(drifts) or 'no frames'}")
        for oddity in oddities:
            say(oddity)
    report_unread(tally, reader.notes, reader.failures)
    report_outputs(outputs, tally)
    if stop is not None and not isinstance(stop, KeyboardInterrupt | Stopped):
        raise stop
    if isinstance(stop, Stopped):
        return stop.exit_code
    return exit_code(bool(watch.onsets or watch.quality_onsets), bool(reader.failures), outputs.failed)


def _describe_start(sources: int, rule: AlarmRule) -> tuple[str, str]:
    """Two lines."""
    return (
        f"watching {counted(sources, 'source')}; an alarm comes at most "
        f"{counted(rule.delay_frames, 'out-of-distribution frame')} after a shift ({rule.delay_s:.2g} s)",
        describe_rule(rule),
    )


def _describe_min_quality(smallest: float, manifest: Manifest) -> str:
    if manifest.answers is None or manifest.answers.quality is None:
        raise ValueError(f"expected a bundle that tells the quality with a smallest one of {smallest:g}")
    quality = manifest.answers.quality
    return (
        f"low quality below {smallest:g}: at most {quality.false_alarm_rate(smallest):.1%} of clean frames are expected to be"
        f"{new_drives_words(quality, smallest)}; their alarms come on top of "
        "those by the score"
    )


class _Watch:
    """Takes frame after frame: assesses it, writes it, prints what begins and ends with it."""

    def __init__(self, monitor: OoDMonitor, stream: Stream, outputs: Outputs, options: argparse.Namespace) -> None:
        self._stream, self._outputs, self._options = stream, outputs, options
        self._alarmed: set[str] = set()
        self._falling: set[str] = set()
        self._drive = FollowedDrive(monitor, stream, options.max_age)
        self._opened: dict[str, float] = {}
        self.tally, self.onsets, self.quality_onsets = Tally(), 0, 0
        self.counter = FrameCounter(shown=not options.json or not sys.stdout.isatty())

    def follow(self, reader: SourceReader) -> None:
        """Take all frames of a reader, until no output is left."""
        try:
            for source, result in self._drive.follow(reader):
                if not source.name.endswith(SILENT):
                    self.tally.add(result.verdict, source.fault)
                self._report(source, result)
                if not self._outputs.left:
                    return
        finally:
            self.counter.clear()

    def wait(self, origin: str) -> None:
        """Report that a camera of this machine has sent nothing for too long; its first frame may take ten seconds."""
        since = self._opened.setdefault(origin, time.monotonic())
        if origin not in self._stream.cameras and time.monotonic() - since < _FIRST_FRAME_S:
            return
        if origin in self._stream.silent(max_age_s=self._options.max_age, expected=[origin]):
            self._report(*self._drive.report_silent(origin, time.time_ns()))

    def _report(self, source: SourceFrame, result: StreamAssessment) -> None:
        """Write the row of a frame, and print what begins or ends with it."""
        row: Row = {"frame": source.name, **result.asdict()}
        self._outputs.add(source, result.verdict, row, result)
        self.onsets += result.onset
        if self._options.json:
            self._print(json.dumps(row if self._options.parts else without_parts(row), allow_nan=False))
        elif result.onset or (source.camera in self._alarmed and not result.alarm):
            self.counter.clear()
            self._print(_event(source, result, "ALARM" if result.alarm else "clear"))
        (self._alarmed.add if result.alarm else self._alarmed.discard)(source.camera)
        if result.quality is not None:
            self._report_quality(source, result, result.quality)
        self.counter.show(self.tally.count)

    def _report_quality(self, source: SourceFrame, result: StreamAssessment, quality: QualityAlarm) -> None:
        """Print what begins or ends with a frame by its expected quality."""
        self.quality_onsets += quality.onset
        ended = source.camera in self._falling and not quality.alarm
        if not self._options.json and (quality.onset or ended):
            self.counter.clear()
            self._print(_event(source, result, "QUALITY ALARM" if quality.alarm else "quality clear"))
        (self._falling.add if quality.alarm else self._falling.discard)(source.camera)

    def _print(self, line: str) -> None:
        self._outputs.stdout.write(f"{line}\n")
        self._outputs.stdout.flush()


def _event(source: SourceFrame, result: StreamAssessment, event: str) -> str:
    reason = f": {result.verdict.reason}" if result.verdict.reason else ""
    where = f"{source.camera} at {source.stamp_ns / 1e9:.3f} s ({source.name})"
    answers = f", {words}" if (words := answer_words(result.verdict)) else ""
    return f"{event} {where}, score {result.verdict.score:.3f}{answers}{reason}"
