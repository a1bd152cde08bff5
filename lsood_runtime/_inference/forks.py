# SPDX-License-Identifier: Apache-2.0
"""Keep sessions of ONNX Runtime that a forked process inherits from being used or destroyed there.

A child process has none of the threads that such a session computes with: a run waits for them for ever, and so does the
session's destructor.
"""

import ctypes
import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """Holder of objects that must not be used in a child process."""

    def leave_to_parent(self) -> object:
        """Let go of what the parent process uses on, and give it, so that it can be kept alive."""


_HOLDERS: "weakref.WeakSet[Inherited]" = weakref.WeakSet()


def guard_forks(holder: Inherited) -> None:
    """Make every forked process leave what the holder holds to its parent."""
    _HOLDERS.add(holder)


def _leave_to_parent() -> None:
    for holder in list(_HOLDERS):
        kept = holder.leave_to_parent()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))  # never destroyed, not even as the process ends
    _HOLDERS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
