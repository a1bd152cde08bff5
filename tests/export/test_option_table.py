# SPDX-License-Identifier: Apache-2.0
"""A field of a dataclass describes its option; the commands' own tables are tested in ``tests/export/cli``."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from export.cli.flags import CommandParser, options_from
from export.errors import UsageError
from export.option_table import Words, command_words, flag, options_of, plain_word

COLOURS = ["red", "green"]


def read_lengths(words: Sequence[str]) -> dict[str, int]:
    return {word: len(word) for word in words}


@dataclass(frozen=True)
class Inner:
    depth: int = field(default=3, metadata=flag("how deep, 100 % at most", "inner", metavar="N"))
    seed: int = field(default=0, metadata=flag("of the inner part"))


@dataclass(frozen=True)
class Outer:
    source: Path = field(metadata=flag("what is read", name="source", metavar="FILE"))
    weights: tuple[float, ...] = field(metadata=flag("of the parts", metavar="W"))
    size: tuple[int, int] | None = field(default=None, metadata=flag("rows and columns", metavar=("H", "W")))
    mode: Literal["fast", "slow"] = field(default="fast", metadata=flag("how"))
    colour: str = field(default="red", metadata=flag(lambda: f"of {len(COLOURS)}", choices=lambda: COLOURS))
    loud: bool = field(default=False, metadata=flag("say more"))
    clean: bool = field(default=True, metadata=flag("leave everything as it is", name="--no-clean"))
    names: dict[str, int] = field(
        default_factory=dict, metadata=flag("of people", words=Words(read_lengths, list), adds_up=True)
    )
    seed: int = field(default=0, metadata=flag("of all parts"))
    inner: Inner = field(default_factory=Inner)


OPTIONS = {option.field: option for option in reversed(list(options_of(Outer)))}
"""By field; of the two seeds the outer one."""


def parsed(*words: str) -> Outer:
    parser = CommandParser("paint", "Paint.", "examples: none")
    parser.add_options(Outer)
    return options_from(parser.parse(["file", "--weights", "1", *words]), Outer)


@pytest.mark.parametrize(
    ("name", "typed", "count"),
    [
        ("source", "source", None),
        ("weights", "--weights", "+"),
        ("size", "--size", 2),
        ("mode", "--mode", None),
        ("names", "--names", "+"),
        ("depth", "--depth", None),
        ("clean", "--no-clean", None),
    ],
)
def test_option_of_a_field_has_the_shape_of_its_type(name: str, typed: str, count: object) -> None:
    assert (OPTIONS[name].name, OPTIONS[name].count) == (typed, count)
    assert OPTIONS[name].is_switch is (name == "clean")
    assert OPTIONS[name].is_required is (name in ("source", "weights"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("depth", "how deep, 100 % at most (default: 3)"),
        ("mode", "how (default: fast)"),
        ("colour", "of 2 (default: red)"),
        ("size", "rows and columns"),
        ("names", "of people"),
        ("loud", "say more"),
        ("source", "what is read"),
    ],
)
def test_help_of_an_option_tells_its_default(name: str, text: str) -> None:
    assert OPTIONS[name].help == text


def test_choices_of_an_option_are_asked_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OPTIONS["mode"].choices == ("fast", "slow")
    monkeypatch.setattr(f"{__name__}.COLOURS", ["blue"])
    assert (OPTIONS["colour"].choices, OPTIONS["colour"].help) == (["blue"], "of 1 (default: red)")


def test_options_from_words_are_those_of_the_fields() -> None:
    typed = "--size 2 3 --mode slow --loud --no-clean --names ann --names bob joe --depth 4 --seed 7"
    got = parsed(*shlex.split(typed))
    assert got == Outer(
        Path("file"),
        (1.0,),
        size=(2, 3),
        mode="slow",
        loud=True,
        clean=False,
        names={"ann": 3, "bob": 3, "joe": 3},
        seed=7,
        inner=Inner(depth=4, seed=7),
    )
    words = command_words(got)
    assert words[:4] == ["file", "--weights", "1.0", "--size"]
    assert parsed(*words[3:]) == got


def test_options_from_no_words_are_the_defaults() -> None:
    assert parsed() == Outer(Path("file"), (1.0,))
    assert command_words(parsed()) == ["file", "--weights", "1.0"]


def test_parser_of_a_table_lists_its_groups_once() -> None:
    parser = CommandParser("paint", "Paint.", "examples: none")
    parser.add_options(Inner)
    parser.add_options(Outer)
    text = parser.format_help()
    assert text.startswith("usage: python -m export paint FILE --weights W [W ...] [options]")
    assert text.count("\ninner:\n") == text.count("--seed SEED") == 1
    assert "how deep, 100 % at most (default: 3)" in text
    assert "of the inner part" in text, "the table that came first describes a flag that both have"


@pytest.mark.parametrize(
    ("value", "word"),
    [(3, "3"), (1e-05, "1e-05"), ("-x", "-x"), (Path("-x"), "./-x"), (Path("/-x"), "/-x"), (Path("a/-x"), "a/-x")],
)
def test_plain_word_of_a_value_is_its_text(value: object, word: str) -> None:
    assert plain_word(value) == word


def test_typed_words_that_begin_with_a_dash_stand_behind_an_equals_sign() -> None:
    assert OPTIONS["depth"].typed(["-3"]) == ["--depth", "-3"], "argparse knows a negative number"
    assert OPTIONS["colour"].typed(["-red"]) == ["--colour=-red"]
    assert OPTIONS["names"].typed(["-a", "b"]) == ["--names=-a", "--names=b"]
    with pytest.raises(UsageError, match="behind --weights, got 1 -1e-05"):
        OPTIONS["weights"].typed(["1", "-1e-05"])
    with pytest.raises(UsageError, match="behind --weights, got none"):
        OPTIONS["weights"].typed([])
