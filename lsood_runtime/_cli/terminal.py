# SPDX-License-Identifier: Apache-2.0
"""Write to the terminal, or what stands in its place: verdicts to stdout, what is said of the run to stderr."""

import sys

from lsood_runtime._exceptions import LsoodError
from lsood_runtime._standard_streams import send_nowhere
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
    """Print a line on stdout, names of files as a terminal shows them.

    Raises:
        LsoodError: as :func:`write_out`.
    """
    write_out(f"{printable(words)}\n")


def write_out(text: str) -> None:
    """Write text to stdout, all of it at once: the answer of a command that has no other.

    Raises:
        LsoodError: its disk is full or broken.
        BrokenPipeError: the reader of the pipe has seen enough.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        send_nowhere(sys.stdout)
        raise LsoodError(
            f"cannot write the standard output: {error.strerror or error}; send it elsewhere, and type the command anew"
        ) from error


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
