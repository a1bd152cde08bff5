# SPDX-License-Identifier: Apache-2.0
"""Open a file that a user named, if it is one: a pipe would be waited for, and a device has no end."""

import errno
import os
import stat
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

OPENED = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""How what is not trusted is opened: a FIFO is not waited for."""


def open_plain(path: Path, largest: int | None = None) -> BinaryIO:
    """Open a regular file for reading; a link stands for what it points to.

    Args:
        path: of the file.
        largest: bytes that it may have; None for any number.

    Raises:
        OSError: it cannot be opened, is no regular file, or is larger; ``strerror`` says which.
    """
    descriptor = os.open(path, OPENED)
    status = os.fstat(descriptor)
    reason = None
    if stat.S_ISDIR(status.st_mode):
        reason = errno.EISDIR, os.strerror(errno.EISDIR)
    elif not stat.S_ISREG(status.st_mode):
        reason = errno.EINVAL, "a pipe, a socket or a device, no file"
    elif largest is not None and status.st_size > largest:
        reason = errno.EFBIG, f"a file of {status.st_size:,} bytes, where {largest:,} are read at most"
    if reason is not None:
        os.close(descriptor)
        raise OSError(*reason, str(path))
    return os.fdopen(descriptor, "rb")


def read_plain(path: Path, largest: int) -> bytes:
    """Read a regular file; arguments and errors as for :func:`open_plain`."""
    with closing(open_plain(path, largest)) as file:
        return file.read(largest + 1)
