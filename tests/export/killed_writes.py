# SPDX-License-Identifier: Apache-2.0
"""Writes that are killed at every moment, each in a process of its own; run by ``test_atomic_write``.

A program of its own, since it forks: ``python -m tests.export.killed_writes FOLDER CASE``, with one line of JSON a kill.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from export import atomic_write
from tests.export.interrupted_calls import at_moment, state, write


def _in_child(work: Callable[[], None]) -> bool:
    """Whether the work was killed."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _kill_write(out: Path, moment: int) -> bool:
    def work() -> None:
        with at_moment(moment, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            write(out, "new")

    return _in_child(work)


def _no_fsync(fd: object) -> None:
    """A kill loses nothing that the kernel has: no waiting for the disk."""


def main(folder: Path, case: str) -> None:
    """Kill a write at its first moment, then at its second, until one ends before it is killed."""
    os.fsync = _no_fsync
    if case.endswith("without exchange"):
        atomic_write._renameat2 = None
    moment, killed = 0, True
    while killed:
        moment += 1
        out = folder / str(moment) / ("features.npz" if case.endswith("file") else "monitor")
        out.parent.mkdir()
        if not case.startswith("new"):
            write(out, "old")
        killed = _kill_write(out, moment)
        found: dict[str, object] = {"killed": killed, "left": state(out)}
        atomic_write.recover_interrupted(out)
        found["recovered"], found["beside"] = state(out), sorted(path.name for path in out.parent.iterdir())
        write(out, "next")
        found["next"], found["beside after"] = state(out), sorted(path.name for path in out.parent.iterdir())
        print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
