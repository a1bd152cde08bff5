# SPDX-License-Identifier: Apache-2.0
"""Each flag of both programs is typed in full, and once where it has one value: no value is lost in silence."""

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from export.cli import benchmark, calibrate, evaluate, evidence, export, fleet, search
from lsood_runtime._cli.main import build_parser
from lsood_runtime._command_line import OnceParser


def parsers() -> Iterator[argparse.ArgumentParser]:
    lsood = build_parser()
    (commands,) = (each for each in lsood._actions if isinstance(each, argparse._SubParsersAction))
    yield from (lsood, *commands.choices.values())
    yield from (command.build_parser() for command in (export, calibrate, evaluate, evidence, benchmark, fleet, search))


@pytest.mark.parametrize("parser", [*parsers()], ids=lambda parser: parser.prog)
def test_flag_with_a_value_is_refused_the_second_time_unless_its_values_add_up(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if not action.option_strings or action.nargs == 0:
            continue
        name = type(action).__name__.lower()
        namespace = argparse.Namespace(stated=frozenset())
        action(parser, namespace, ["a"], action.option_strings[0])
        if "append" in name or "extend" in name:
            action(parser, namespace, ["b"], action.option_strings[0])
            assert len(getattr(namespace, action.dest)) == 2, action.option_strings
        else:
            assert namespace.stated == {action.dest}
            with pytest.raises(argparse.ArgumentError, match="expected this flag once, got it again"):
                action(parser, namespace, ["b"], action.option_strings[0])
            assert getattr(namespace, action.dest) == ["a"]


@pytest.mark.parametrize("parser", [*parsers()], ids=lambda parser: parser.prog)
def test_beginning_of_a_flag_is_no_flag(parser: argparse.ArgumentParser) -> None:
    assert isinstance(parser, OnceParser)
    assert not parser.allow_abbrev


@pytest.mark.parametrize(
    "parser",
    [parser for parser in parsers() if any(action.required for action in parser._actions)],
    ids=lambda parser: parser.prog,
)
def test_missing_arguments_are_named_with_an_example_that_is_a_command(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args([])
    told = re.fullmatch(
        r".*: error: expected (.+), got none.*: name .+, as in (.+) \(see .+ --help\)\n", capsys.readouterr().err
    )
    assert told is not None
    for action in parser._actions:
        name = next(iter(action.option_strings), action.metavar)
        assert not action.required or str(name) in told[1]
    parser.parse_args(shlex.split(told[2].removeprefix(parser.prog)))


def test_missing_arguments_without_an_example_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    parser = OnceParser(prog="program", epilog="examples:\n  program --one a --two \\\n  program --one a   # no more")
    for flag in ("--one", "--two"):
        parser.add_argument(flag, required=True)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "error: expected --one and --two, got none of them: name them (see program" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parser.parse_args(["--two", "b"])
    assert "error: expected --one, got none: name it, as in program --one a (see program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--one a --one b", "argument --one: expected this flag once, got it again: keep one of them"),
        ("--one=a --some b --one=a", "argument --one: expected this flag once, got it again: keep one of them"),
        ("--some a --some b c", "argument --some: expected this flag once, got it again: write all values behind one"),
        ("--som a", "unrecognized arguments: --som a"),
    ],
)
def test_once_parser_leaves_with_two_and_says_what_to_do(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = OnceParser(prog="program")
    parser.add_argument_group("group").add_argument("--one", default="x")
    parser.add_argument("--some", nargs="+", default=[])
    assert vars(parser.parse_args([])) == {"one": "x", "some": [], "stated": frozenset()}
    assert vars(parser.parse_args(["--one", "x"])) == {"one": "x", "some": [], "stated": {"one"}}
    with pytest.raises(SystemExit) as left:
        parser.parse_args(words.split())
    assert left.value.code == 2
    assert capsys.readouterr().err == f"program: error: {message} (see program --help)\n"


@pytest.mark.parametrize("parser", [*parsers()], ids=lambda parser: parser.prog)
def test_wrong_command_line_of_each_command_is_told_in_one_line_with_the_place_of_its_help(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parser.parse_args(["a", "b", "c", "--no-such-flag\n=1"])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{parser.prog}: error: ")
    assert err.endswith(f" (see {parser.prog} --help)\n")
    assert len(err.splitlines()) == 1
