# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGHUP end a command of the export as Ctrl-C does, with codes of their own."""

import os
import signal
from contextlib import suppress

import pytest

from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.stop_signals import Terminated, ended_as_by_interrupt, errors_told_as_the_stop

pytestmark = pytest.mark.usefixtures("signals_that_stop")
NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, *NUMBERS])
def test_run_command_stopped_by_a_signal_cleans_up_and_gives_its_code_in_one_line(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def work(_: ConsoleReporter) -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            if number != signal.SIGINT:  # the next must not cut this short
                os.kill(os.getpid(), NUMBERS[0])
                os.kill(os.getpid(), NUMBERS[1])
            cleaned.append(True)

    with ended_as_by_interrupt():
        assert run_command(work, ConsoleOptions()) == 128 + number
    assert cleaned
    said = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert capsys.readouterr().err == f"export: {said}; nothing is half written\n"
    assert str(128 + number) in EXIT_CODES


@pytest.mark.parametrize("number", [signal.SIGINT, *NUMBERS])
def test_run_command_in_which_a_signal_becomes_another_error_tells_of_the_signal(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the import of a module in C does."""

    def work(_: ConsoleReporter) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        raise ImportError("initialization failed")

    with ended_as_by_interrupt():
        assert run_command(work, ConsoleOptions()) == 128 + number
    assert "nothing is half written" in capsys.readouterr().err
    with ended_as_by_interrupt(), pytest.raises(ZeroDivisionError):
        run_command(lambda _: print(1 // 0), ConsoleOptions())


def test_ended_as_by_interrupt_leaves_signals_as_they_were() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_as_by_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)  # ignored, as under nohup
            with pytest.raises(Terminated, match="SIGTERM"):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN, "one that comes after the first ends nothing else"
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with ended_as_by_interrupt():
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_errors_told_as_the_stop_after_a_stop_has_ended_are_their_own() -> None:
    with suppress(Terminated), ended_as_by_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(ValueError, match="of its own"), errors_told_as_the_stop():
        raise ValueError("of its own")
