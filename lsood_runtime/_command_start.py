# SPDX-License-Identifier: Apache-2.0
"""End the command ``lsood`` in one line where it fails before its first line of code runs, while packages are imported.

Where this process runs the command, the import of this module sees to it that no error of a later import prints a traceback
and exits with 1, which means an alarm, and that SIGTERM and SIGHUP end the command in one line as well. Where another program
imports the package, nothing changes.
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType, TracebackType

from lsood_runtime._standard_streams import open_missing_streams

_MODULE, _SCRIPT = "lsood_runtime", "lsood"
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
_INTERRUPTED, _UNUSABLE, _UNEXPECTED = 130, 2, 3
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


_came: "list[Stopped]" = []
"""The stop that came while packages were imported: a module in C may make an error of it that has no trace of it."""


class Stopped(BaseException):
    """The process was asked to stop.

    Attributes:
        name: of the signal.
        exit_code: 128 and its number, as a shell reports it.
    """

    def __init__(self, number: int) -> None:
        self.name, self.exit_code = signal.Signals(number).name, 128 + number
        super().__init__(self.name)


def runs_command(words: list[str]) -> bool:
    """Whether a command line of Python, its own flags included, runs ``lsood``."""
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            return next(rest, "") == _MODULE
        if word in _WITH_VALUE:
            next(rest, "")
        elif not word.startswith("-"):
            return Path(word).name == _SCRIPT
    return False


def stop_behind(error: BaseException) -> KeyboardInterrupt | Stopped | None:
    """The stop that an error comes from: Python and modules in C turn one into an error of their own while they import."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        if isinstance(link, KeyboardInterrupt | Stopped):
            return link
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return _came[0] if _came else None


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if os.environ.get("LSOOD_TRACEBACK"):
        traceback.print_exception(kind, error, trace)
    stop = stop_behind(error)
    if isinstance(stop, KeyboardInterrupt):
        words, code = "interrupted", _INTERRUPTED
    elif stop is not None:
        words, code = f"stopped by {stop.name}", stop.exit_code
    elif issubclass(kind, ImportError):
        words, code = f"error: {' '.join(str(error).split())}", _UNUSABLE
    else:
        words, code = f"unexpected error: {kind.__name__}: {' '.join(str(error).split())}", _UNEXPECTED
    print(f"lsood: {words}", file=sys.stderr)
    sys.exit(code)


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # one more, as `timeout` sends, must not cut the cleaning short
    _came.append(Stopped(number))
    raise _came[0]


def let_signals_end_the_process() -> None:
    """Undo what this module did to signals: nothing is left that one could cut in two."""
    for each in _SIGNALS:
        if signal.getsignal(each) is _stop:
            signal.signal(each, signal.SIG_DFL)


if runs_command(sys.orig_argv):
    open_missing_streams()
    sys.excepthook = _end
    for each in _SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as SIGHUP under nohup
            signal.signal(each, _stop)
