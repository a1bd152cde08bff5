# SPDX-License-Identifier: Apache-2.0
"""Format the command to run next, which a command prints in its last line."""

import os
import shlex
from pathlib import Path

from export.option_table import plain_word


def next_command(*words: str | Path) -> str:
    """Format a line that can be pasted into a POSIX shell, into bash or zsh where a name holds control characters.

    Args:
        words: the command, its flags and its files; files as paths, since one that begins with a dash is then written with
            its folder, so that it is not taken for a flag.
    """
    return f"next: {' '.join(_quoted(plain_word(word)) for word in words)}"


def _quoted(word: str) -> str:
    r"""Quote a word; one with control characters as ``$'\x1b'``, so that no terminal obeys them."""
    if all(each.isprintable() or each in "\n\t" for each in word):
        return shlex.quote(word)
    parts = (
        each if each.isprintable() and each not in "'\\" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(each))
        for each in word
    )
    return f"$'{''.join(parts)}'"
