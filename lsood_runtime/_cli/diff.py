# SPDX-License-Identifier: Apache-2.0
"""``lsood diff``: compare the metadata of two bundles, and their decisions on frames."""

import argparse
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from typing import TextIO

from lsood_runtime._bundle.reader import read_manifest
from lsood_runtime._cli.arguments import Commands, add_command, add_pixels, add_threads, stated_rules
from lsood_runtime._cli.compare import BundleComparison, Changes, Flip, compare_decisions, compare_manifests
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.frame_reading import FrameReading
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.run_end import exit_code, report_failures, report_notes
from lsood_runtime._cli.terminal import write_out
from lsood_runtime._media.sources import find_sources
from lsood_runtime._monitor import OoDMonitor
from lsood_runtime._text.counted import counted
from lsood_runtime._text.json_values import finite_values
from lsood_runtime._text.printable import printable

_WIDEST = 90
_EPILOG = """\
Without frames: every field of the manifests that differs. With frames: each frame on which the two disagree as well. What
cannot be read is named, and the others are compared.

exit codes: 0 the bundles decide alike (without frames: their metadata are the same), 1 they do not, 2 bad usage, input or
bundle, 3 unexpected error

example:
  lsood diff monitor/ monitor-recalibrated/ drive/*.png
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "diff", run, "compare two bundles", _EPILOG)
    parser.add_argument("old", metavar="OLD", help="a bundle")
    parser.add_argument("new", metavar="NEW", help="another bundle for the same camera")
    parser.add_argument("files", nargs="*", metavar="FILE", help="frames on which to compare the decisions")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the text")
    add_pixels(parser)
    add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Print what differs; 1 where a decision differs or, without frames, a field."""
    sources = find_sources(options.files)
    report_idle_flags(options, sources)
    counter = FrameCounter(shown=True)
    reading = FrameReading(sources, stated_rules(options))
    try:
        compared = compare(options.old, options.new, reading if sources else None, options.threads, counter.show)
    finally:
        counter.clear()
    report_notes(reading.notes)
    write = write_changes_json if options.json else write_changes
    text = io.StringIO()
    write(compared.changes, compared.flips, compared.frames, text)
    write_out(text.getvalue())
    report_failures(reading.faults)
    return exit_code(compared.differ, bool(reading.faults))


def compare(
    old: str,
    new: str,
    reading: FrameReading | None = None,
    threads: int | None = None,
    on_frame: Callable[[int], None] = lambda _count: None,
) -> BundleComparison:
    """Compare the metadata of two bundles and, where there are frames, their decisions.

    Args:
        old: a bundle.
        new: another one for the same camera.
        reading: of frames; None for the metadata alone.
        threads: of the CPU provider within an operator; None for one a core.
        on_frame: called with how many frames were compared.

    Raises:
        BundleError: a bundle cannot be used, or they take different frames.
        MediaError: no source gave a frame; of a strict reading also a frame or a source that cannot be read.
    """
    if reading is None:
        return BundleComparison(compare_manifests(read_manifest(old), read_manifest(new)), None, 0)
    flips, count = list[Flip](), 0
    with OoDMonitor(old, threads=threads) as before, OoDMonitor(new, threads=threads) as after:
        changes = compare_manifests(before.manifest, after.manifest)
        for name, image in reading.frames(before):
            flip = compare_decisions(name, image, before, after)
            flips += [flip] if flip else []
            count += 1
            on_frame(count)
    return BundleComparison(changes, tuple(flips), count)


def write_changes(changes: Changes, flips: Sequence[Flip] | None, count: int, out: TextIO) -> None:
    """Write the fields that differ, then the frames; ``flips`` is None where no frames were compared."""
    if not changes:
        out.write("the manifests are the same\n")
    for name, (before, after) in changes.items():
        out.write(f"{printable(f'{name}: {_short(before)} -> {_short(after)}')}\n")
    if flips is None:
        return
    for flip in flips:
        out.write(f"{flip.frame}: {flip.old_state} ({flip.old_score:.3f}) -> {flip.new_state} ({flip.new_score:.3f})\n")
    out.write(f"{len(flips)} of {counted(count, 'frame')} decided differently\n")


def write_changes_json(changes: Changes, flips: Sequence[Flip] | None, count: int, out: TextIO) -> None:
    """Write ``{"changes": {field: [old, new]}, "frames": N, "flips": [...]}``; ``flips`` is null without frames."""
    document = {
        "changes": changes,
        "frames": count,
        "flips": None if flips is None else [finite_values(dataclasses.asdict(flip)) for flip in flips],
    }
    json.dump(document, out, indent=1, allow_nan=False)
    out.write("\n")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 4]} ..."
