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


HELD_LOCKS = """
import os, sys, threading
from lsood_runtime import ClosedError, KOfN, LatestFrameWorker, OoDMonitor
from tests.lsood_runtime.conftest import random_frames

entered, leave = threading.Event(), threading.Event()

class BlockedName(str):
    def __hash__(self):
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            leave.wait()
        return str.__hash__(self)

class BlockedState:
    statistic = 0.0
    def update(self, evidence):
        entered.set()
        leave.wait()
        return False

class BlockedPolicy(KOfN):
    def start(self, calibration):
        return BlockedState()

monitor, frame = OoDMonitor(sys.argv[1], threads=1), random_frames(1, 0)[0]
stream = monitor.stream(BlockedPolicy() if sys.argv[2] == "state" else "3of5")
worker = LatestFrameWorker(monitor.stream("3of5"))
if sys.argv[2] == "state":
    held = threading.Thread(target=stream.assess, args=[frame])
elif sys.argv[2] == "stream":
    held = threading.Thread(target=stream.assess, args=[frame], kwargs={"camera": BlockedName("front")})
else:
    held = threading.Thread(target=worker.submit, args=[frame], kwargs={"camera": BlockedName("front")})
held.daemon = True
held.start()
entered.wait()
child = os.fork()
if child == 0:
    for call in (
        lambda: stream.cameras, lambda: stream.silent(), lambda: [stream.summary(c) for c in stream.cameras],
        lambda: [stream.drift(c) for c in stream.cameras], lambda: [stream.forget(c) for c in stream.cameras],
        lambda: stream.report_silent("front"), lambda: stream.assess(frame), lambda: repr(stream),
        lambda: worker.dropped, lambda: worker.submit(frame), lambda: worker.close(),
        lambda: LatestFrameWorker(stream).close(),
    ):
        try:
            call()
        except ClosedError:
            pass
    again = os.fork()
    if again == 0:
        print(stream, worker.dropped)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(again, 0)
    os._exit(7)
_, status = os.waitpid(child, 0)
leave.set()
held.join()
worker.close()
print("child", os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("lock", ["state", "stream", "worker"])
def test_forked_process_does_not_wait_for_locks_that_threads_of_the_parent_hold(toy_bundle: Path, lock: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD_LOCKS, str(toy_bundle), lock],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "child 7", done.stderr


FORKED_IN_CALLBACK = """
import os, sys
from lsood_runtime import ClosedError, LatestFrameWorker, OoDMonitor
from tests.lsood_runtime.conftest import random_frames

def fork_once(result):
    child = os.fork()
    if child == 0:
        for call in (lambda: monitor.score(frame), lambda: worker.submit(frame)):
            try:
                call()
            except ClosedError as error:
                print(error, flush=True)
        return  # into the worker's loop, whose thread is the only one here
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

monitor, frame = OoDMonitor(sys.argv[1], threads=2), random_frames(1, 0)[0]
worker = LatestFrameWorker(monitor.stream("3of5", on_result=fork_once))
worker.submit(frame)
worker.close()
monitor.score(frame)
"""


def test_forked_process_of_a_callback_ends_where_the_callback_returns(toy_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED_IN_CALLBACK, str(toy_bundle)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    score, submit, child = done.stdout.splitlines()
    assert score.startswith(INHERITED)
    assert submit.startswith("expected a worker of this process")
    assert child == "child 0"
