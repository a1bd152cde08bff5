# SPDX-License-Identifier: Apache-2.0
"""The command that a command prints in its last line, ready to be pasted into a shell."""

import shlex
from pathlib import Path

from export.option_table import plain_word


def next_command(*words: str | Path) -> str:
    """The line with a command, its words quoted where a POSIX shell needs it.

    Args:
        words: the command, its flags and its files; files as paths, since one that begins with a dash is then written with
            its folder, lest it pass for a flag.
    """
    return f"next: {shlex.join(map(plain_word, words))}"
