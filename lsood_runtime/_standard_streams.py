# SPDX-License-Identifier: Apache-2.0
"""The standard streams of a process: closed ones, and those that nobody reads or whose disk is full."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO


def open_missing_streams() -> None:
    """Open the null device in place of each standard stream that was closed when this process started.

    Python has None there, on which libraries fail, and the next file that is opened would get the number of the stream: what
    a library in C prints would land in that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open to the end


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
