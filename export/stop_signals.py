# SPDX-License-Identifier: Apache-2.0
"""End a command on SIGTERM and SIGHUP as on Ctrl-C: what is half written is removed. Needs the standard library alone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
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


_came: list[KeyboardInterrupt] = []


@contextmanager
def errors_told_as_the_stop() -> Iterator[None]:
    """Raise what a signal raised in the place of the errors that come after it.

    It is their reason: a module in C turns it, while it is imported, into an ImportError that has no trace of it.

    Raises:
        KeyboardInterrupt: a signal came, within :func:`ended_as_by_interrupt`, before the error.
    """
    try:
        yield
    except Exception as error:
        if _came:
            raise _came[0] from error
        raise


@contextmanager
def ended_as_by_interrupt() -> Iterator[None]:
    """While entered, in the main thread, SIGTERM and SIGHUP raise :class:`Terminated`, SIGINT KeyboardInterrupt.

    A signal that the process ignores, as SIGHUP under ``nohup``, stays ignored. Of SIGTERM and SIGHUP the first that comes is
    the last that counts, also after this: whoever ends a job may send one to the process and one to its group, and the second
    must neither cut the cleaning short nor end the process otherwise than the first one.
    """
    before = {each: signal.getsignal(each) for each in (*_ENDING, signal.SIGINT)}
    taken = [each for each in before if before[each] != signal.SIG_IGN]

    def end(number: int, _frame: FrameType | None) -> None:
        stop = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        _came.append(stop)
        if number != signal.SIGINT:
            for each in set(taken) & set(_ENDING):
                signal.signal(each, signal.SIG_IGN)
        raise stop

    try:
        for each in taken:
            signal.signal(each, end)
        yield
    finally:
        for each in taken:
            if signal.getsignal(each) is end:
                signal.signal(each, before[each])
        _came.clear()


def words_and_code(error: KeyboardInterrupt) -> tuple[str, int]:
    """What a command that was ended says last, and its exit code."""
    if isinstance(error, Terminated):
        return f"stopped by {error.name}; {_WHOLE}", error.exit_code
    return f"interrupted; {_WHOLE}", _INTERRUPTED
