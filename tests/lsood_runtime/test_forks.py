# SPDX-License-Identifier: Apache-2.0
"""A forked process neither uses nor destroys the sessions that it inherits, and ends; the parent goes on unharmed."""

import subprocess
import sys
from pathlib import Path

import pytest

FORK = """
import gc, os, sys
import numpy as np
from lsood_runtime import ClosedError, KOfN, LatestFrameWorker, OoDMonitor

monitor = OoDMonitor(sys.argv[1], threads=int(sys.argv[2]))
worker = LatestFrameWorker(monitor.stream(KOfN(1, 1)))
frame = np.random.default_rng(0).integers(1, 256, (6, 8, 3), np.uint8)
expected = monitor.score(frame)
worker.submit(frame)
sys.stdout.flush()
child = os.fork()
if child == 0:
    def refused(call, *arguments):
        try:
            call(*arguments)
        except ClosedError as error:
            print(error, flush=True)
    {child}
    sys.exit(0)  # the interpreter is torn down, with whatever it still holds
_, status = os.waitpid(child, 0)
worker.close()
assert monitor.score(frame) == expected
print("child", os.waitstatus_to_exitcode(status))
"""
INHERITED = "expected an open monitor, this one was inherited by a fork, where its threads are missing: make a new"


def fork(bundle: Path, threads: int, child: str) -> list[str]:
    """Lines that parent and child print; a child that hangs ends in TimeoutExpired."""
    script = FORK.replace("{child}", child)
    done = subprocess.run(
        [sys.executable, "-c", script, str(bundle), str(threads)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "child 0", done.stderr
    return lines[:-1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "child", ["pass", "del monitor, worker; gc.collect()", "worker.close(); monitor.close(); monitor.close()"]
)
def test_forked_process_drops_or_closes_a_monitor_and_ends(toy_bundle: Path, threads: int, child: str) -> None:
    assert fork(toy_bundle, threads, child) == []


def test_forked_process_that_scores_with_an_inherited_monitor_is_told(toy_bundle: Path) -> None:
    child = (
        "refused(monitor.score, frame); refused(monitor.assess, frame); refused(worker.submit, frame); print(monitor)"
    )
    score, assess, submit, printed = fork(toy_bundle, 2, child)
    assert score == assess
    assert score.startswith(INHERITED)
    assert submit.startswith("expected a worker of this process, this one was inherited by a fork")
    assert "closed" in printed


def test_forked_process_that_opens_a_monitor_of_its_own_scores_the_same(toy_bundle: Path) -> None:
    assert fork(toy_bundle, 2, "print(OoDMonitor(sys.argv[1], threads=2).score(frame) == expected, flush=True)") == [
        "True"
    ]
