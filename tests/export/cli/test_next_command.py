# SPDX-License-Identifier: Apache-2.0
"""A printed command is typed into a shell, and names the same files."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.cli.next_command import next_command
from lsood_runtime._cli.main import build_parser
from tests.export.shell_words import shell_words

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
PATHS = NAMES.map(Path)
AWKWARD = [
    "my monitor",
    "-monitor",
    "--json",
    "it's",
    '"day"',
    "$HOME",
    "a;b",
    "day*",
    "two\nlines",
    "~",
    "#1",
    "tag\tend ",
    "täg",
]


def typed(line: str) -> list[str]:
    """The words of the line behind ``python -m``."""
    words = shell_words(line)
    assert words[:3] == ["next:", "python", "-m"]
    return words[3:]


@given(bundle=PATHS, frames=PATHS)
def test_next_command_of_an_export_when_typed_scores_the_same_frames(bundle: Path, frames: Path) -> None:
    module, *words = typed(next_command("python", "-m", "lsood_runtime", "score", bundle, frames))
    flags = build_parser().parse_args(words)
    assert module == "lsood_runtime"
    assert (flags.command, Path(flags.bundle), [Path(file) for file in flags.files]) == ("score", bundle, [frames])
    assert not flags.json


@given(old=PATHS, new=PATHS)
def test_next_command_of_a_calibration_when_typed_compares_the_same_bundles(old: Path, new: Path) -> None:
    _, *words = typed(next_command("python", "-m", "lsood_runtime", "diff", old, new))
    flags = build_parser().parse_args(words)
    assert (flags.command, Path(flags.old), Path(flags.new), flags.files) == ("diff", old, new, [])


@pytest.mark.parametrize("name", AWKWARD)
def test_next_command_with_an_awkward_name_when_typed_into_a_shell_keeps_it(name: str) -> None:
    command = next_command("printf", "%s", Path(name)).removeprefix("next: ")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert Path(done.stdout) == Path(name)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_next_command_of_any_words_has_no_control_character_but_line_ends_and_tabs(words: list[str]) -> None:
    assert all(each.isprintable() or each in "\n\t" for each in next_command(*words))
