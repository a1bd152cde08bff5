# SPDX-License-Identifier: Apache-2.0
"""The command line as a report shows it."""

import shlex

from export.cli.shown_command import shown_command


def test_shown_command_of_few_words_can_be_typed() -> None:
    words = ["monitor", "--ind", "my day", "--json"]
    assert shlex.split(shown_command("evaluate", words)) == ["python", "-m", "export", "evaluate", *words]


def test_shown_command_of_many_files_shows_the_first_and_the_last() -> None:
    files = [f"{i:03d}.png" for i in range(101)]
    command = shown_command("evaluate", ["monitor", "--ind", *files, "--ood", "dusk=dusk/"])
    assert command == "python -m export evaluate monitor --ind 000.png ... 99 more ... 100.png --ood dusk=dusk/"
