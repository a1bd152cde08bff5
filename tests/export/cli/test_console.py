# SPDX-License-Identifier: Apache-2.0
"""Exit codes and error lines of the commands."""

import errno
import gc
import io
import logging
import sys
from collections.abc import Callable, Iterator, Sequence

import pytest
from rich.console import Console

import export.errors
from export.cli import calibrate, evaluate, evidence, search
from export.cli import export as export_command
from export.cli.console import EXIT_CODES, ConsoleOptions, ConsoleReporter, run_command
from export.cli.pipe_console import message_console, output_console
from export.errors import CheckpointError, ExportError
from lsood_runtime import BundleError


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """The root logger as it was, since a command sets its level."""
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def errors() -> list[type[ExportError]]:
    found = [value for value in vars(export.errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, ExportError)]


@pytest.mark.parametrize("error", errors())
def test_run_command_that_fails_gives_the_exit_code_of_the_error(
    error: type[ExportError], capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: ConsoleReporter) -> None:
        raise error("expected a, got b: do c")

    thresholds = gc.get_threshold()
    assert run_command(work, ConsoleOptions()) == error.exit_code
    assert gc.get_threshold() == thresholds
    assert capsys.readouterr().err == "export: error: expected a, got b: do c\n"
    assert f"{error.exit_code} " in EXIT_CODES


def test_run_command_on_a_damaged_bundle_gives_one(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: ConsoleReporter) -> None:
        raise BundleError("expected a whole bundle")

    assert run_command(work, ConsoleOptions()) == 1
    assert capsys.readouterr().err == "export: error: expected a whole bundle\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "bundle"), "read or write bundle, got Permission denied: check"),
        (OSError(28, "No space left on device"), "read or write a file, got No space left on device: check"),
        (OSError("no medium"), "read or write a file, got no medium: check"),
    ],
)
def test_run_command_that_the_system_refuses_a_file_gives_one_line(
    error: OSError, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: ConsoleReporter) -> None:
        raise error

    assert run_command(work, ConsoleOptions()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"export: error: expected to {line}")
    assert printed.count("\n") == 1
    assert run_command(work, ConsoleOptions(verbose=True)) == 1
    assert capsys.readouterr().err.startswith("Traceback")


HOSTILE = "a\x1b[2J\x9b1m\u202e[red]\nb"
SHOWN = r"a\x1b[2J\x9b1m\u202e[red]"


@pytest.mark.parametrize("error", [CheckpointError(HOSTILE), BundleError(HOSTILE), PermissionError(13, "no", HOSTILE)])
def test_run_command_with_control_characters_in_an_error_writes_them_out(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(reporter: ConsoleReporter) -> None:
        reporter.stage(HOSTILE)
        raise error

    assert run_command(work, ConsoleOptions()) != 0
    printed = capsys.readouterr().err
    assert all(each.isprintable() or each == "\n" for each in printed)
    stage, line, nothing = printed.split("\n")
    assert SHOWN in stage
    assert SHOWN in line
    assert nothing == ""


@pytest.mark.parametrize("main", [calibrate.main, evaluate.main, evidence.main, search.main, export_command.main])
def test_command_with_control_characters_in_a_wrong_word_writes_them_out(
    main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([f"--{HOSTILE}"])
    printed = capsys.readouterr().err
    assert r"\x1b[2J" in printed
    assert all(each.isprintable() or each == "\n" for each in printed)


def test_run_command_whose_reader_has_gone_ends_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: ConsoleReporter) -> None:
        raise BrokenPipeError

    assert run_command(work, ConsoleOptions()) == 141
    assert capsys.readouterr().err == ""
    assert "141 " in EXIT_CODES


class Gone(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("console", [output_console, lambda: message_console(quiet=False)])
def test_console_whose_reader_has_gone_raises_that(
    console: Callable[[], Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    with pytest.raises(BrokenPipeError):
        console().print("a line")


def test_run_command_that_is_verbose_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: ConsoleReporter) -> None:
        raise CheckpointError("broken")

    assert run_command(work, ConsoleOptions(verbose=True)) == 3
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("\nexport: error: broken\n")


def test_run_command_that_is_interrupted_gives_130(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: ConsoleReporter) -> None:
        raise KeyboardInterrupt

    assert run_command(work, ConsoleOptions()) == 130
    assert capsys.readouterr().err.startswith("export: interrupted")


def test_run_command_that_succeeds_gives_zero_and_prints_its_stages(capsys: pytest.CaptureFixture[str]) -> None:
    def work(reporter: ConsoleReporter) -> None:
        reporter.stage("reading [1] files")
        assert list(reporter.progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]

    assert run_command(work, ConsoleOptions()) == 0
    error = capsys.readouterr().err
    assert "reading [1] files" in error
    assert "letters" in error
    assert run_command(work, ConsoleOptions(quiet=True)) == 0
    assert capsys.readouterr().err == ""
