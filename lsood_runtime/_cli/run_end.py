# SPDX-License-Identifier: Apache-2.0
"""The end of a run over frames: what is said of frames and sources that could not be read, and the exit code."""

from collections.abc import Sequence

from lsood_runtime._cli.outputs import Outputs
from lsood_runtime._cli.tally import Tally
from lsood_runtime._cli.terminal import say
from lsood_runtime._command_start import Stopped
from lsood_runtime._exceptions import one_line
from lsood_runtime._stream.camera_summary import CameraSummary
from lsood_runtime._text.counted import counted

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell reports it."""

OUTPUT_FAILED = 4
"""Exit code of a run that found nothing and lost one of its outputs, such as to a full disk."""

_SHOWN = 20


def report_unread(tally: Tally, notes: Sequence[str], failures: Sequence[str]) -> None:
    """Say on stderr what was left out, how many frames could not be read, and which sources failed, wholly or in part."""
    report_notes(notes)
    if tally.unreadable:
        first = one_line(tally.first_fault)
        say(f"{tally.unreadable} of {counted(tally.count, 'frame')} could not be read, the first: {first}")
    report_failures(failures)


def report_notes(notes: Sequence[str]) -> None:
    """Say on stderr what of the sources was left out or replaced, and how many there are beyond the first twenty."""
    _report("note", notes)


def report_failures(failures: Sequence[str]) -> None:
    """Say on stderr what went wrong, an error a line, and how many there are beyond the first twenty."""
    _report("error", failures)


def _report(kind: str, messages: Sequence[str]) -> None:
    for message in messages[:_SHOWN]:
        say(f"lsood: {kind}: {one_line(message)}")
    if len(messages) > _SHOWN:
        say(f"lsood: {kind}: {len(messages) - _SHOWN} more of this kind")


def describe_oddities(summary: CameraSummary) -> str:
    """What was odd about the frames of a camera, with counts, in one line; empty where nothing was."""
    counts = {
        "frozen": summary.frozen,
        "without a picture in many tiles": summary.faulty_tiles,
        "with a stamp that no working clock gives": summary.clock_faults,
        "sent twice": summary.repeated,
        "after a gap": summary.gaps,
        "after a step of the clock": summary.steps,
        "by another clock": summary.other_clock,
    }
    words = [f"{count} {what}" for what, count in counts.items() if count]
    frames = f"of {counted(summary.frames, 'frame')} {', '.join(words)}" if words else ""
    silent = f"silent, reported {counted(summary.silent, 'time')}" if summary.silent else ""
    return "; ".join(part for part in (frames, silent) if part)


def end_code(stop: BaseException, tally: Tally) -> int:
    """Exit code of a run that was stopped from outside, which is said on stderr; an error goes on to whoever reports it."""
    report_stop(stop, tally)
    if not isinstance(stop, KeyboardInterrupt | Stopped):
        raise stop
    return stop.exit_code if isinstance(stop, Stopped) else INTERRUPTED


def report_stop(stop: BaseException, tally: Tally) -> None:
    """Say on stderr what stopped the run from outside; nothing of an error, which goes on to whoever reports it."""
    if isinstance(stop, BrokenPipeError):
        words = "nobody reads the standard output any more"
    elif isinstance(stop, Stopped):
        words = f"stopped by {stop.name}"
    elif isinstance(stop, KeyboardInterrupt):
        words = "interrupted"
    else:
        return
    kept = "; the results so far are kept" if tally.count else ""
    say(f"lsood: {words}{kept}")


def report_outputs(outputs: Outputs, tally: Tally) -> None:
    """Say on stderr that outputs failed, and that the run ended for it where none was left."""
    if not outputs.left:
        say(f"lsood: error: no output is left: the run ended after {counted(tally.count, 'frame')}")
    elif outputs.failed:
        say("lsood: error: not every output is whole, see above")


def exit_code(found: bool, failed: bool, lost: bool = False) -> int:
    """Exit code of a run that came to its end.

    Args:
        found: what a run is there to find, which goes before all else.
        failed: something could not be read.
        lost: an output could not be written, which goes before what could not be read.
    """
    return 1 if found else OUTPUT_FAILED if lost else 2 if failed else 0
