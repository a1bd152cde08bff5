# SPDX-License-Identifier: Apache-2.0
"""Lines of a file that was written to its end."""

from collections.abc import Iterator
from typing import TextIO

_LONGEST = 2**24
"""Characters of a line, at most: one of a file that holds none would fill the memory."""


def whole_lines(file: TextIO) -> Iterator[str]:
    """The lines of a file, each with the end of a line.

    Raises:
        ValueError: the last one has none, so that the file is cut off; or one is too long for text that was written in lines.
    """
    while line := file.readline(_LONGEST):
        if not line.endswith("\n"):
            whole = len(line) < _LONGEST
            raise ValueError(
                "expected a last line that ends, it is cut off"
                if whole
                else f"expected lines of less than {_LONGEST:,} characters, got a longer one"
            )
        yield line
