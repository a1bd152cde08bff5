# SPDX-License-Identifier: Apache-2.0
"""Consoles of rich that leave to the command what follows when the reader of a pipe has gone, as with ``| head``."""

import errno
import os
import sys
from typing import NoReturn

from rich.console import Console

_WIDTH_OF_NO_TERMINAL = 120
"""Columns of a table in a file or a pipe, which has no width of its own."""


class PipeConsole(Console):
    """A console that raises BrokenPipeError where nobody reads it any more; rich would end the process with 1."""

    def on_broken_pipe(self) -> NoReturn:
        """Called by rich in the place of the error.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def output_console() -> Console:
    """The console of the tables on stdout: as wide as the terminal, else 120 columns."""
    return PipeConsole(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDTH_OF_NO_TERMINAL)


def message_console(*, quiet: bool) -> Console:
    """The console of stages and progress, on stderr."""
    return PipeConsole(stderr=True, quiet=quiet, highlight=False, markup=False)
