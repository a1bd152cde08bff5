# SPDX-License-Identifier: Apache-2.0
"""Memory that a step of this process takes, and what the machine has left, where the system states it (Linux)."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.005
_STATM, _MEMINFO = Path("/proc/self/statm"), Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@dataclass
class Growth:
    """Growth of the process in a step.

    Attributes:
        size: bytes at most above those before the step; 0 where the system does not state them.
    """

    size: int = 0


@contextmanager
def measured_growth() -> Iterator[Growth]:
    """Watch how far the process grows inside, from a thread of its own."""
    growth, before, done = Growth(), _resident(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            growth.size = max(growth.size, _resident() - before)
            done.wait(_EVERY)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield growth
    finally:
        done.set()
        watcher.join()


def available_memory() -> int | None:
    """Bytes that the machine, or the group of processes that this one is in, has left; None where no one states them."""
    left = []
    if _MEMINFO.exists():
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        left.append(1024 * int(fields["MemAvailable"].split()[0]))
    if _LIMIT.exists() and _USED.exists() and (limit := _LIMIT.read_text().strip()) != "max":
        left.append(int(limit) - int(_USED.read_text()))
    return min(left) if left else None


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0
