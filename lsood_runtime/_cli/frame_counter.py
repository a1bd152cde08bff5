# SPDX-License-Identifier: Apache-2.0
"""Show on the terminal how many frames were scored so far."""

import sys

from lsood_runtime._text.counted import counted


class FrameCounter:
    """A count of frames on stderr, on a terminal alone; it leaves no line behind.

    Args:
        shown: false where something else shows the progress already, as a table on the same terminal does.
    """

    def __init__(self, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()

    def show(self, count: int, done: str = "scored") -> None:
        """Print how many frames have been scored, or what else was done with them, over the last count."""
        if self._shown:
            print(f"\r{counted(count, 'frame')} {done}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
