# SPDX-License-Identifier: Apache-2.0
"""Lines of a file that was written to its end."""

from collections.abc import Iterable, Iterator


def whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a file, each with the end of a line.

    Raises:
        ValueError: the last one has none: the file is cut off.
    """
    for line in lines:
        if not line.endswith("\n"):
            raise ValueError("expected a last line that ends, it is cut off")
        yield line
