# SPDX-License-Identifier: Apache-2.0
"""``lsood diff``: compare the metadata of two bundles, and their decisions on frames."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TextIO

from lsood_runtime._bundle.reader import read_manifest
from lsood_runtime._cli.arguments import Commands, add_command, add_pixels, add_threads, pixel_rules
from lsood_runtime._cli.compare import Changes, Flip, compare_decisions, compare_manifests
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.idle_flags import report_idle_flags
from lsood_runtime._cli.run_end import exit_code, report_failures, report_notes
from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.pixel_rules import in_flags
from lsood_runtime._media.sources import SourceReader, find_sources
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
    if sources:
        changes, flips, count, faults = _compare_frames(options, sources)
    else:
        changes = compare_manifests(read_manifest(options.old), read_manifest(options.new))
        flips, count, faults = None, 0, []
    write = write_changes_json if options.json else write_changes
    write(changes, flips, count, sys.stdout)
    report_failures(faults)
    return exit_code(bool(flips) if flips is not None else bool(changes), bool(faults))


def _compare_frames(
    options: argparse.Namespace, sources: Sequence[str]
) -> tuple[Changes, list[Flip] | None, int, list[str]]:
    """The fields that differ, the frames that are decided differently, how many were compared, and what was not read."""
    counter, flips, faults, count = FrameCounter(shown=True), list[Flip](), list[str](), 0
    with (
        OoDMonitor(options.old, threads=options.threads) as old,
        OoDMonitor(options.new, threads=options.threads) as new,
    ):
        changes, contract = compare_manifests(old.manifest, new.manifest), old.manifest.input
        reader = SourceReader(
            sources,
            contract.channels,
            1.0,
            rules=pixel_rules(options, old.manifest.pixels),
            size=(contract.frame_height, contract.frame_width),
            word=in_flags,
        )
        for source in reader:
            if source.image is None:
                faults.append(source.fault)
                continue
            try:
                flip = compare_decisions(source.name, source.image, old, new)
            except FrameError as error:
                faults.append(str(error))
                continue
            flips += [flip] if flip else []
            count += 1
            counter.show(count)
    counter.clear()
    report_notes(reader.notes)
    return changes, flips, count, faults + reader.failures


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
