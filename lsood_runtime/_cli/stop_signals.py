# SPDX-License-Identifier: Apache-2.0
"""End a run on Ctrl-C, SIGTERM and SIGHUP as an exception does, so that what was scored is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from lsood_runtime._command_start import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, SIGINT raises KeyboardInterrupt, SIGTERM and SIGHUP raise :class:`Stopped`, never within :meth:`held`.

    A signal that the process ignores, as SIGHUP under ``nohup``, stays ignored. Of SIGTERM and SIGHUP the first is the last
    that counts, also after this, since whoever ends a job, as ``timeout`` does, may send one to the process and one to its
    group. Outside the main thread nothing changes: signals reach that one alone.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._depth, self._waiting = 0, 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """A section that no signal cuts in two: one that comes meanwhile is raised at its end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._waiting:
                number, self._waiting = self._waiting, 0
                _raise(number)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            for each in self._before.keys() - {signal.SIGINT}:
                signal.signal(each, signal.SIG_IGN)
        if self._depth:
            self._waiting = number
        else:
            _raise(number)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for each in _SIGNALS:
                if signal.getsignal(each) != signal.SIG_IGN:
                    self._before[each] = signal.signal(each, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            if signal.getsignal(each) == self._receive:
                signal.signal(each, handler)


def _raise(number: int) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)
