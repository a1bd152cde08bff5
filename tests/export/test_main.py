# SPDX-License-Identifier: Apache-2.0
"""``python -m export``: which command runs, and what a word that is none is answered."""

import argparse
import sys

import pytest

from export.__main__ import main
from lsood_runtime._cli.main import build_parser


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["calibrat", "m"],
            "a command (benchmark, calibrate, evaluate, evidence, fleet, search), got calibrat: did you mean",
        ),
        (["fly"], "got fly: see python -m export --help"),
        (["help"], "got help: type python -m export --help"),
        (["help", "search"], "got help: type python -m export search --help"),
        (["help", "me"], "got help: type python -m export --help"),
        (["export", "--ckpt", "x"], "got export: an export has flags alone, python -m export --ckpt FILE"),
    ],
)
def test_main_of_a_word_that_is_no_command_tells_what_to_type(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("export: error: ")
    assert message in line


def runtimes_commands() -> list[str]:
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return list(commands.choices)


@pytest.mark.parametrize("command", runtimes_commands())
def test_main_of_a_command_of_the_runtime_names_the_runtime(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export", command, "monitor"])
    with pytest.raises(SystemExit):
        main()
    assert f"it is a command of the runtime, python -m lsood_runtime {command}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["benchmark", "calibrate", "evaluate", "evidence", "fleet", "search"])
def test_main_of_a_command_runs_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export", command, "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m export {command} ")


def test_main_without_words_asks_for_what_an_export_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["export"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    told = (
        "expected --ckpt, --frames and --out, got none of them: name them, as in python -m export --ckpt runs/best.ckpt"
    )
    assert told in capsys.readouterr().err
