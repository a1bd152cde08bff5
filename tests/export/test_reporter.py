# SPDX-License-Identifier: Apache-2.0
"""Reporters of stages and progress."""

import pytest

from export.cli.console import ConsoleReporter
from export.reporter import SILENT, Reporter


def test_silent_reporter_gives_every_item_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = SILENT
    reporter.stage("reading")
    assert list(reporter.progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_console_reporter_prints_stages_and_progress_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = ConsoleReporter(quiet=False)
    reporter.stage("reading")
    assert list(reporter.progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "reading" in printed.err
    assert "letters" in printed.err


def test_console_reporter_when_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = ConsoleReporter(quiet=True)
    reporter.stage("reading")
    assert list(reporter.progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
