# SPDX-License-Identifier: Apache-2.0
"""Locks on files and folders that end with the process (``flock``), so that a leftover is told from work in progress."""

import fcntl
import os
from pathlib import Path


def lock(descriptor: int, operation: int) -> bool:
    """Lock an open file or folder.

    Args:
        descriptor: of it.
        operation: of ``fcntl.flock``.

    Returns:
        False where the file system has no locks.

    Raises:
        BlockingIOError: another process holds the lock, and the operation does not wait.
    """
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def is_still(descriptor: int, path: Path) -> bool:
    """Whether an open file or folder still has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
