# SPDX-License-Identifier: Apache-2.0
"""Break long lines of text where a terminal ends."""

import shutil
import textwrap

_FEWEST = 40


def wrapped(line: str, indent: int) -> str:
    """Break a line between its words, so that it fits the terminal; what is left of it is indented.

    The terminal has as many columns as COLUMNS in the environment says, else as it says itself, and 80 where the standard
    output is none; at least 40 are used. A word is never broken, so that digests and names stay whole.

    Args:
        line: of text that a terminal shows as it is.
        indent: spaces before each line but the first.

    Returns:
        Lines, each with an end.
    """
    columns = max(shutil.get_terminal_size().columns, _FEWEST)
    lines = textwrap.wrap(line, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{each}\n" for each in lines or [""])
