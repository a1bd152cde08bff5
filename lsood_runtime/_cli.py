# SPDX-License-Identifier: Apache-2.0
"""``lsood``: score files with a bundle, or look into a bundle."""

import argparse
import io
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._bundle import open_bundle, read_manifest
from lsood_runtime._diff import Flip, compare_decisions, compare_manifests, write_changes, write_changes_json
from lsood_runtime._exceptions import FrameError, LsoodError
from lsood_runtime._media import VIDEO_SUFFIXES, find_media, read_frames
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._report import Progress, describe, write_csv, write_json, write_table
from lsood_runtime._version import __version__

_EPILOG = """\
examples:
  lsood inspect monitor/                            what the bundle is, and what frames it takes
  lsood score monitor/ drive/*.png                  a table, one line a frame
  lsood score monitor/ drive/ front.mp4 --csv > scores.csv
  lsood score monitor/ frame.png && echo trust it   exit code 0: every frame is in distribution
  lsood diff old/ new/ drive/                       what changed, and on which frames the decision flips
"""
_SCORE_EPILOG = """\
Higher scores are further from the training distribution (nats for densities); above the threshold a frame is out of
distribution. The p-value is the share of in-distribution frames at least as strange.

exit codes: 0 all frames in distribution, 1 at least one out of distribution, 2 bad usage, input or bundle

examples:
  lsood score monitor/ drive/ --json | jq '.[] | select(.is_ood) | .frame'
  lsood score monitor/ front.mp4 --provider cuda
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

    score = commands.add_parser("score", help="score images and videos", epilog=_SCORE_EPILOG, formatter_class=raw)
    score.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    score.add_argument("files", nargs="+", metavar="FILE", help="images, videos, folders of them, or patterns")
    form = score.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON list in place of the table")
    form.add_argument("--csv", action="store_true", help="comma-separated values in place of the table")
    score.add_argument(
        "--provider",
        action="append",
        metavar="NAME",
        help="cpu (default), cuda, tensorrt, or ONNX Runtime's own name; repeat it in order of preference",
    )
    score.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: one a core)")
    score.add_argument(
        "--operating-point",
        metavar="NAME",
        help="threshold to apply, as `lsood inspect` names it (default: the bundle's)",
    )
    score.set_defaults(run=_score)

    inspect = commands.add_parser("inspect", help="verify a bundle's files and print what it says of itself")
    inspect.add_argument("bundle", metavar="BUNDLE", help="the folder that `python -m export` wrote")
    inspect.add_argument("--json", action="store_true", help="the whole manifest as JSON")
    inspect.set_defaults(run=_inspect)

    diff = commands.add_parser("diff", help="compare two bundles", epilog=_DIFF_EPILOG, formatter_class=raw)
    diff.add_argument("old", metavar="OLD", help="a bundle")
    diff.add_argument("new", metavar="NEW", help="another bundle for the same camera")
    diff.add_argument("files", nargs="*", metavar="FILE", help="frames on which to compare the decisions")
    diff.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    diff.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: one a core)")
    diff.set_defaults(run=_diff)
    return parser


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
        print(f"lsood: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lsood: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _score(options: argparse.Namespace) -> int:
    files = find_media(options.files)
    with OoDMonitor(
        options.bundle,
        providers=options.provider,
        threads=options.threads,
        operating_point=options.operating_point,
    ) as monitor:
        seen: list[tuple[State, float]] = []
        progress = Progress(shown=options.json or not sys.stdout.isatty())
        verdicts = _verdicts(monitor, files, seen, progress)
        try:
            if options.json:
                write_json(verdicts, sys.stdout)
            elif options.csv:
                write_csv(verdicts, sys.stdout)
            else:
                write_table(verdicts, sys.stdout, max(map(_name_width, files)))
        finally:
            progress.clear()
        provider = monitor.provider
    states, latencies_ms = Counter(state for state, _ in seen), [latency_ms for _, latency_ms in seen]
    parts = [f"{len(seen)} frames", f"{states[State.OUT_OF_DISTRIBUTION]} out of distribution"]
    parts += [f"{states[State.INVALID]} invalid"] if states[State.INVALID] else []
    print(f"{', '.join(parts)}; median {median(latencies_ms):.1f} ms a frame on {provider}", file=sys.stderr)
    return 0 if states[State.OK] == len(seen) else 1


def _verdicts(
    monitor: OoDMonitor, files: Sequence[Path], seen: list[tuple[State, float]], progress: Progress
) -> Iterator[tuple[str, Assessment]]:
    for file in files:
        for name, frame in read_frames(file, monitor.manifest.input.channels):
            try:
                verdict = monitor.assess(frame)
            except FrameError as error:
                raise FrameError(f"{name}: {error}") from error
            seen.append((verdict.state, verdict.latency_ms))
            progress.show(len(seen))
            yield name, verdict


def _name_width(file: Path) -> int:
    return len(str(file)) + (len("#000000") if file.suffix.lower() in VIDEO_SUFFIXES else 0)


def _inspect(options: argparse.Namespace) -> int:
    manifest = open_bundle(options.bundle).manifest
    sys.stdout.write(manifest.to_json() if options.json else describe(manifest))
    return 0


def _diff(options: argparse.Namespace) -> int:
    changes = compare_manifests(read_manifest(options.old), read_manifest(options.new))
    flips: list[Flip] | None = None
    count = 0
    if options.files:
        progress = Progress(shown=True)
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
