# SPDX-License-Identifier: Apache-2.0
"""Write to the terminal, or what stands in its place: verdicts to stdout, what is said of the run to stderr."""

import io
import os
import sys
from typing import TextIO

from lsood_runtime._text.printable import printable


def say(*lines: str) -> None:
    """Print lines on stderr, names of files as a terminal shows them.

    Where nothing can be written, nobody is left to be told. The end of a line within one is written out: a name of
    a file that holds one begins no line of its own.
    """
    try:
        print(*map(printable, lines), sep="\n", file=sys.stderr, flush=True)
    except OSError:
        send_nowhere(sys.stderr)


def tell(words: str) -> None:
    """Print a line on stdout, names of files as a terminal shows them."""
    print(printable(words))


def flush_or_send_nowhere(stream: TextIO) -> None:
    """Write what a stream still holds; where nobody reads it or its disk is full, send it nowhere.

    Python would else fail over it when it ends, with an exit code of its own.
    """
    try:
        stream.flush()
    except OSError:
        send_nowhere(stream)


def send_nowhere(stream: TextIO) -> None:
    """Let what a stream still holds, and all that follows, go nowhere; one that is no file of the system is left alone."""
    try:
        place = stream.fileno()
    except io.UnsupportedOperation:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, place)
    os.close(nowhere)


class VerdictStream:
    """Stdout, which may lie on a disk that is full: a failure is said on stderr, once, and ends nothing.

    Attributes:
        failed: whether something could not be written.
    """

    def __init__(self) -> None:
        self.failed = False

    def write(self, text: str) -> None:
        """Write a piece of text; nothing where an earlier one failed.

        Raises:
            BrokenPipeError: the reader of the pipe has seen enough.
        """
        if self.failed:
            return
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            send_nowhere(sys.stdout)
            raise
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        """Hand to the system what was written.

        Raises:
            BrokenPipeError: the reader of the pipe has seen enough.
        """
        if self.failed:
            return
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            send_nowhere(sys.stdout)
            raise
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failed = True
        send_nowhere(sys.stdout)
        say(f"lsood: error: cannot write the standard output: {error.strerror or error}; what follows is not printed")
