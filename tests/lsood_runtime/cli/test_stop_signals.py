# SPDX-License-Identifier: Apache-2.0
"""Signals that stop a run wait for the end of what must not be cut in two."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from lsood_runtime._cli.stop_signals import StopSignals
from lsood_runtime._command_start import Stopped

pytestmark = pytest.mark.usefixtures("signals_that_stop")


def signals_in(work: Callable[[StopSignals, list[str]], None]) -> tuple[list[str], str]:
    """Steps that were taken, and what was raised, by work that sends signals to its own process."""
    steps: list[str] = []
    raised = "nothing"
    try:
        with StopSignals() as signals:
            work(signals, steps)
    except (KeyboardInterrupt, Stopped) as error:
        raised = type(error).__name__ + (f" {error.name}" if isinstance(error, Stopped) else "")
    return steps, raised


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Stopped SIGTERM"), (signal.SIGHUP, "Stopped SIGHUP")],
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_stop_signals_within_held_sections_wait_for_their_end(
    number: signal.Signals, expected: str, depth: int
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def nested(signals: StopSignals, steps: list[str], depth: int) -> None:
        if depth:
            with signals.held():
                nested(signals, steps, depth - 1)
                steps.append("held")
        else:
            os.kill(os.getpid(), number)
            steps.append("killed")

    steps, raised = signals_in(lambda signals, steps: nested(signals, steps, depth))
    assert raised == expected
    assert steps == (["killed", *["held"] * depth] if depth else [])
    ignored = () if number == signal.SIGINT else (signal.SIGTERM, signal.SIGHUP)
    left = {each: signal.SIG_IGN if each in ignored else handler for each, handler in before.items()}
    assert {each: signal.getsignal(each) for each in before} == left, "one that comes after the first ends nothing else"


def test_stop_signals_that_are_ignored_stay_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_stop_signals_in_another_thread_change_nothing() -> None:
    before, within = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with StopSignals() as signals, signals.held():
            within.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert within == [before]
