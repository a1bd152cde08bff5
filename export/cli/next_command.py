# SPDX-License-Identifier: Apache-2.0
"""Format the command to run next, which a command prints in its last line."""

import shlex
from pathlib import Path

from export.option_table import plain_word


def next_command(*words: str | Path) -> str:
    """Format a line that can be pasted into a POSIX shell, with words quoted where needed.

    Args:
        words: the command, its flags and its files; files as paths, since one that begins with a dash is then written with
            its folder, so that it is not taken for a flag.
    """
    return f"next: {shlex.join(map(plain_word, words))}"
