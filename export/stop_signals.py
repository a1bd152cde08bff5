# SPDX-License-Identifier: Apache-2.0
"""End a command on SIGTERM and SIGHUP as on Ctrl-C: what is half written is removed. Needs the standard library alone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130
_WHOLE = "nothing is half written"


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came; whatever handles Ctrl-C handles this.

    Attributes:
        name: of the signal.
        exit_code: 128 and its number, as a shell reports it.
    """

    def __init__(self, number: int) -> None:
        self.name, self.exit_code = signal.Signals(number).name, 128 + number
        super().__init__(self.name)


@contextmanager
def ended_as_by_interrupt() -> Iterator[None]:
    """While entered, in the main thread, SIGTERM and SIGHUP raise :class:`Terminated`.

    A signal that the process ignores, as SIGHUP under ``nohup``, stays ignored. The first that comes is the last that counts:
    whoever ends a job may send a signal to the process and to its group, and the second must not cut the cleaning short.
    """
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    taken = [each for each in _SIGNALS if before[each] != signal.SIG_IGN]

    def end(number: int, _frame: FrameType | None) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    try:
        for each in taken:
            signal.signal(each, end)
        yield
    finally:
        for each in taken:
            signal.signal(each, before[each])


def words_and_code(error: KeyboardInterrupt) -> tuple[str, int]:
    """What a command that was ended says last, and its exit code."""
    if isinstance(error, Terminated):
        return f"stopped by {error.name}; {_WHOLE}", error.exit_code
    return f"interrupted; {_WHOLE}", _INTERRUPTED
