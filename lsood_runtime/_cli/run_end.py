# SPDX-License-Identifier: Apache-2.0
"""The end of a run over frames: what is said of frames and sources that could not be read, and the exit code."""

import sys
from collections.abc import Sequence

from lsood_runtime._cli.stop_signals import Stopped
from lsood_runtime._cli.tally import Tally
from lsood_runtime._exceptions import one_line
from lsood_runtime._stream.camera_summary import CameraSummary

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell reports it."""

_SHOWN = 20


def report_unread(tally: Tally, notes: Sequence[str], failures: Sequence[str]) -> None:
    """Say on stderr what was left out, how many frames could not be read, and which sources failed, wholly or in part."""
    report_notes(notes)
    if tally.unreadable:
        first = one_line(tally.first_fault)
        print(f"{tally.unreadable} of {tally.count} frames could not be read, the first: {first}", file=sys.stderr)
    report_failures(failures)


def report_notes(notes: Sequence[str]) -> None:
    """Say on stderr what of the sources was left out or replaced, and how many there are beyond the first twenty."""
    _report("note", notes)


def report_failures(failures: Sequence[str]) -> None:
    """Say on stderr what went wrong, an error a line, and how many there are beyond the first twenty."""
    _report("error", failures)


def _report(kind: str, messages: Sequence[str]) -> None:
    for message in messages[:_SHOWN]:
        print(f"lsood: {kind}: {one_line(message)}", file=sys.stderr)
    if len(messages) > _SHOWN:
        print(f"lsood: {kind}: {len(messages) - _SHOWN} more of this kind", file=sys.stderr)


def describe_oddities(summary: CameraSummary) -> str:
    """What was odd about the frames of a camera, with counts, in one line; empty where nothing was."""
    counts = {
        "frozen": summary.frozen,
        "with a stamp that no working clock gives": summary.clock_faults,
        "sent twice": summary.repeated,
        "after a gap": summary.gaps,
        "after a step of the clock": summary.steps,
        "by another clock": summary.other_clock,
    }
    words = [f"{count} {what}" for what, count in counts.items() if count]
    frames = f"{', '.join(words)} of {summary.frames} frames" if words else ""
    silent = f"silent, reported {summary.silent} times" if summary.silent else ""
    return "; ".join(part for part in (frames, silent) if part)


def report_stop(stop: KeyboardInterrupt | Stopped, tally: Tally) -> None:
    """Say on stderr what ended the run."""
    words = f"stopped by {stop.name}" if isinstance(stop, Stopped) else "interrupted"
    kept = "; the results so far are kept" if tally.count else ""
    print(f"lsood: {words}{kept}", file=sys.stderr)


def exit_code(found: bool, failed: bool) -> int:
    """Exit code of a run that came to its end: what was found goes before what could not be read or written."""
    return 1 if found else 2 if failed else 0
