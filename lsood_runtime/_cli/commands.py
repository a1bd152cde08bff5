# SPDX-License-Identifier: Apache-2.0
"""``lsood``: score files with a bundle, or look into a bundle."""

import argparse
import dataclasses
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lsood_runtime._bundle.reader import open_bundle, read_manifest
from lsood_runtime._cli.diff import Flip, compare_decisions, compare_manifests, write_changes, write_changes_json
from lsood_runtime._cli.report import FrameCounter, describe
from lsood_runtime._cli.watch import run_score, run_watch
from lsood_runtime._exceptions import BundleError, LsoodError, one_line
from lsood_runtime._media.files import find_media, read_frames
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._stream.false_alarms import expected_false_alarms
from lsood_runtime._stream.policies import Policy
from lsood_runtime._stream.policy_text import FORMS, parse_policy
from lsood_runtime._text.json_values import finite_values
from lsood_runtime._version import __version__

_FILES = "images, videos, folders of them, patterns, MCAP files, ROS bags"
_EPILOG = """\
examples:
  lsood inspect monitor/                            what the bundle is, and what frames it takes
  lsood score monitor/ drive/*.png                  a table, one line a frame
  lsood score monitor/ drive/ front.mp4 --csv > scores.csv
  lsood score monitor/ frame.png && echo trust it   exit code 0: every frame is in distribution
  lsood watch monitor/ drive.mcap --timeline t.png  when an alarm begins and ends, and a picture of the drive
  lsood selftest monitor/ --provider cuda           whether this machine computes what the exporter did
  lsood diff old/ new/ drive/                       what changed, and on which frames the decision flips
"""
_SCORE_EPILOG = """\
Higher scores are further from the training distribution (nats for densities); above the threshold a frame is out of
distribution. The p-value is the share of in-distribution frames at least as strange.

exit codes: 0 all frames in distribution, 1 at least one out of distribution, 2 bad usage, input or bundle

examples:
  lsood score monitor/ drive/ --json | jq '.[] | select(.is_ood) | .frame'
  lsood score monitor/ front.mp4 --provider cuda
  lsood score monitor/ drive/ --out scores.parquet --thumbnails strangest.png --strangest 8
"""
_WATCH_EPILOG = f"""\
Alarms: {FORMS}
  3of5                  three of the last five frames are out of distribution
  hysteresis:0.01:0.2   from a p-value of 0.01 or less until one above 0.2
  duration:0.5          all frames of half a second; cleared when half a second brought none
  cusum:1h@30           the evidence adds up (CUSUM on p-values); one false alarm an hour or fewer at 30 frames/s
`lsood inspect BUNDLE --alarm RULE --fps RATE` estimates the false alarms of each.

A frame that no working camera sends (wrong size, black, the same image again) counts as strange. Recordings keep their
stamps; images and videos count from 0.

exit codes: 0 no alarm, 1 at least one alarm, 2 bad usage, input or bundle

examples:
  lsood watch monitor/ drive.mcap --topic /front/image_raw --alarm cusum:1h@20 --out scored.mcap --timeline drive.png
  lsood watch monitor/ bag/ --thumbnails strangest.png --rerun drive.rrd
  lsood watch monitor/ camera:0 --deadline-ms 50
"""
_SELFTEST_EPILOG = """\
exit codes: 0 every golden frame gets its score back, 1 one does not, 2 bad usage, or nothing runs at all

example:
  lsood selftest monitor/ --provider cuda
"""


_DIFF_EPILOG = """\
Without frames: every field of the manifests that differs. With frames: each frame on which the two disagree as well.

exit codes: 0 the bundles decide alike (without frames: say the same of themselves), 1 they do not, 2 bad usage or bundle

example:
  lsood diff monitor/ monitor-recalibrated/ drive/*.png
"""


def build_parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="lsood",
        description="Tell frames that a segmentation network knows from frames that it does not.",
        epilog=_EPILOG,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"lsood {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    score = commands.add_parser(
        "score", help="score frames, each on its own", epilog=_SCORE_EPILOG, formatter_class=raw
    )
    score.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    score.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    form = score.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON list in place of the table")
    form.add_argument("--csv", action="store_true", help="comma-separated values in place of the table")
    _add_frames(score)
    _add_monitor(score)
    score.set_defaults(run=run_score)

    watch = commands.add_parser(
        "watch", help="follow a drive, and say when an alarm begins and ends", epilog=_WATCH_EPILOG, formatter_class=raw
    )
    watch.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    watch.add_argument(
        "files", nargs="+", metavar="FILE", help=f"{_FILES}; camera:0 for the first camera, until Ctrl-C"
    )
    watch.add_argument("--alarm", type=_policy, default="3of5", metavar="RULE", help=f"{FORMS} (default: 3of5)")
    watch.add_argument("--json", action="store_true", help="one JSON object a line and frame, in place of the alarms")
    _add_frames(watch)
    _add_monitor(watch)
    watch.set_defaults(run=run_watch)

    inspect = commands.add_parser("inspect", help="verify a bundle's files and print what it says of itself")
    inspect.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    inspect.add_argument("--json", action="store_true", help="the whole manifest as JSON")
    inspect.add_argument(
        "--alarm", type=_policy, metavar="RULE", help=f"its delay and its false alarms an hour: {FORMS}"
    )
    inspect.add_argument(
        "--fps", type=_rate, default=30.0, metavar="RATE", help="frames a second for --alarm (default: 30)"
    )
    inspect.set_defaults(run=_inspect)

    selftest = commands.add_parser(
        "selftest",
        help="verify a bundle and replay its golden frames here",
        epilog=_SELFTEST_EPILOG,
        formatter_class=raw,
    )
    selftest.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    selftest.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    _add_providers(selftest)
    selftest.set_defaults(run=_selftest)

    diff = commands.add_parser("diff", help="compare two bundles", epilog=_DIFF_EPILOG, formatter_class=raw)
    diff.add_argument("old", metavar="OLD", help="a bundle")
    diff.add_argument("new", metavar="NEW", help="another bundle for the same camera")
    diff.add_argument("files", nargs="*", metavar="FILE", help="frames on which to compare the decisions")
    diff.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    diff.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: one a core)")
    diff.set_defaults(run=_diff)
    return parser


def _add_frames(parser: argparse.ArgumentParser) -> None:
    """What to read of the sources, and what to write beside the screen."""
    parser.add_argument(
        "--topic", action="append", default=[], metavar="NAME", help="of a recording (default: all images)"
    )
    parser.add_argument(
        "--fps", type=_rate, default=10.0, metavar="RATE", help="images a second, for their stamps (default: 10)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="verdicts as .csv, .jsonl, .parquet or .mcap (stamps kept, topic /lsood/CAMERA); repeatable",
    )
    parser.add_argument("--timeline", type=Path, metavar="PICTURE", help="scores over time, with threshold and alarms")
    parser.add_argument("--thumbnails", type=Path, metavar="PICTURE", help="the strangest moments")
    parser.add_argument("--strangest", type=_positive, default=12, metavar="K", help="so many of them (default: 12)")
    parser.add_argument("--rerun", type=Path, metavar="FILE.rrd", help="a recording for the rerun viewer")


def _add_monitor(parser: argparse.ArgumentParser) -> None:
    _add_providers(parser)
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="threshold to apply, as `lsood inspect` names it (default: the bundle's)",
    )
    parser.add_argument("--deadline-ms", type=_rate, metavar="MS", help="a verdict that takes longer is late")


def _add_providers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--provider",
        action="append",
        metavar="NAME",
        help="cpu (default), cuda, tensorrt, or ONNX Runtime's own name; repeat it in order of preference",
    )
    parser.add_argument("--allow-fallback", action="store_true", help="go on with the next provider, at last the CPU")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: one a core)")


def _policy(text: str) -> Policy:
    try:
        return parse_policy(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code comes back, and for bad usage and ``--help`` argparse's SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be no text
    options = build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except LsoodError as error:
        print(f"lsood: error: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lsood: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _inspect(options: argparse.Namespace) -> int:
    manifest = open_bundle(options.bundle).manifest
    sys.stdout.write(manifest.to_json() if options.json else describe(manifest))
    if options.alarm is not None:
        try:
            delay = options.alarm.delay_frames(manifest.calibration, options.fps)
            expected = expected_false_alarms(options.alarm, manifest, frames_per_second=options.fps)
        except ValueError as error:
            raise BundleError(f"this alarm cannot work with this bundle: {error}") from error
        print(
            f"alarm: within {delay} frames ({delay / options.fps:.2f} s) where all are stranger than the calibration; "
            f"{expected.per_hour:.3g} false ones an hour at {options.fps:g} frames/s ({expected.low:.3g} to "
            f"{expected.high:.3g}), if frames are as like each other as those of the calibration, of which "
            f"{expected.correlation_frames} are worth one, and come as often as those did",
            file=sys.stderr if options.json else sys.stdout,
        )
    return 0


def _selftest(options: argparse.Namespace) -> int:
    with OoDMonitor(
        options.bundle,
        providers=options.provider,
        allow_fallback=options.allow_fallback,
        threads=options.threads,
        self_test=False,
    ) as monitor:
        result = monitor.self_test()
        latency_ms = monitor.warm_up()
        files = len(monitor.manifest.files)
    if options.json:
        values = dataclasses.asdict(result) | {
            "errors": result.errors,
            "passed": result.passed,
            "latency_ms": latency_ms,
        }
        print(json.dumps(finite_values(values)))
        return 0 if result.passed else 1
    placed = ", ".join(f"{count} on {where}" for where, count in result.placement.items()) or "not told"
    print(f"files     {files} with the lengths and digests that the manifest records")
    print(f"provider  {result.provider}; nodes: {placed}; {latency_ms:.1f} ms a frame once warm")
    for i, (score, expected, error) in enumerate(zip(result.scores, result.expected, result.errors, strict=True)):
        verdict = "ok" if error <= result.tolerance else "WRONG"
        print(
            f"golden {i}  {score:.6g}, at export {expected:.6g}, off by {error:.2g} of {result.tolerance:.2g}: {verdict}"
        )
    print("passed" if result.passed else "FAILED: do not rely on this bundle on this machine")
    return 0 if result.passed else 1


def _diff(options: argparse.Namespace) -> int:
    changes = compare_manifests(read_manifest(options.old), read_manifest(options.new))
    flips: list[Flip] | None = None
    count = 0
    if options.files:
        progress = FrameCounter(shown=True)
        flips = []
        with (
            OoDMonitor(options.old, threads=options.threads) as old,
            OoDMonitor(options.new, threads=options.threads) as new,
        ):
            for file in find_media(options.files):
                for name, frame in read_frames(file, old.manifest.input.channels):
                    flip = compare_decisions(name, frame, old, new)
                    flips += [flip] if flip else []
                    count += 1
                    progress.show(count)
        progress.clear()
    write = write_changes_json if options.json else write_changes
    write(changes, flips, count, sys.stdout)
    return int(bool(flips) if flips is not None else bool(changes))
