# SPDX-License-Identifier: Apache-2.0
"""Keep what a forked process inherits from waiting there for threads that it does not have.

A child process has none of the threads that a session of ONNX Runtime computes with: a run waits for them for ever, and so
does the session's destructor. A lock that another thread of the parent held is never released in the child.
"""

import ctypes
import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """Holder of objects, or of locks, that must not be used in a child process."""

    def leave_to_parent(self) -> object:
        """Let go of what the parent process uses on, and give it, so that it can be kept alive; replace the locks."""


_HOLDERS: "weakref.WeakSet[Inherited]" = weakref.WeakSet()


def guard_forks(holder: Inherited) -> None:
    """Make every forked process leave what the holder holds to its parent."""
    _HOLDERS.add(holder)


def _leave_to_parent() -> None:
    for holder in list(_HOLDERS):
        kept = holder.leave_to_parent()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))  # never destroyed, not even as the process ends


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
