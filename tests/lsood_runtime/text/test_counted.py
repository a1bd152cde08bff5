# SPDX-License-Identifier: Apache-2.0
"""Counts agree with their nouns, in one function and in what the commands print."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime._cli.main import run
from lsood_runtime._text.counted import counted
from tests.lsood_runtime.cli.test_run_ends import write_drive

_ONE_OF_MANY = re.compile(r"(?<![\d.,of-])1 (?!is\b|was\b|of\b|has\b|frames/s)\w+s\b")
"""A single thing in the plural, such as "1 alarms"; "nine of 1 frames" and rates are none."""


@given(st.integers(0, 10**9), st.sampled_from(["frame", "false alarm"]), st.sampled_from(["", ","]))
def test_counted_any_number_is_followed_by_the_noun_that_fits(count: int, noun: str, comma: str) -> None:
    digits, _, rest = counted(count, noun, comma=comma).partition(" ")
    assert int(digits.replace(",", "")) == count
    assert ("," in digits) == (bool(comma) and count > 999)
    assert rest == (noun if count == 1 else noun + "s")


@pytest.mark.parametrize(
    ("count", "text"), [(1.0, "1 class"), (0.5, "0.5 classes"), (2, "2 classes"), (1, "1 class"), (0, "0 classes")]
)
def test_counted_with_a_plural_of_its_own_uses_it(count: float, text: str) -> None:
    assert counted(count, "class", plural="classes") == text


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize(
    "words",
    [
        ["score", "DRIVE"],
        ["watch", "DRIVE", "--alarm", "1of1"],
        ["watch", "DRIVE", "BROKEN"],
        ["inspect", "--alarm", "1of1"],
        ["selftest"],
    ],
    ids=" ".join,
)
def test_commands_about_one_thing_print_no_plural(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], frames: int, words: list[str]
) -> None:
    drive, broken = write_drive(tmp_path / "drive", frames, broken=(0,)), tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    places = {"DRIVE": str(drive), "BROKEN": str(broken)}
    run([words[0], str(toy_bundle), *(places.get(word, word) for word in words[1:])])
    out, err = capsys.readouterr()
    assert not _ONE_OF_MANY.findall(out + err)
    assert words[0] not in ("score", "watch") or counted(frames, "frame") in err
