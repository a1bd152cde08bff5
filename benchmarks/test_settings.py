# SPDX-License-Identifier: Apache-2.0
"""Settings of a monitor, and ways to serve several cameras, each as a ratio to what a user gets without them."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import Ratio, ratio, take_turns
from lsood_runtime import OoDMonitor

CAMERAS, WARM_UP, LOADS = 4, 4, 15
WHERE = f"resnet18 {SMALL[0]}x{SMALL[1]}"
Frames = NDArray[np.uint8]

Configure = Callable[[ort.SessionOptions], None]


def pinned(options: ort.SessionOptions) -> None:
    """The second thread of a pool of two stays on the second core; the first is the caller's own."""
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op_thread_affinities", "2")


def spinning(options: ort.SessionOptions) -> None:
    """Idle threads spin in place of sleeping."""
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")


def without_arena(options: ort.SessionOptions) -> None:
    """Memory comes from the system for each tensor."""
    options.enable_cpu_mem_arena = False


def without_pattern(options: ort.SessionOptions) -> None:
    """Memory is not planned from the shapes of the first run."""
    options.enable_mem_pattern = False


SETTINGS: dict[str, Callable[[Path], OoDMonitor]] = {
    "default": OoDMonitor,
    "batch=1": partial(OoDMonitor, batch=1),
    "threads=1": partial(OoDMonitor, threads=1),
    "second thread on a core of its own": partial(OoDMonitor, session_options=pinned),
    "spinning threads": partial(OoDMonitor, session_options=spinning),
    "without arena": partial(OoDMonitor, session_options=without_arena),
    "without memory pattern": partial(OoDMonitor, session_options=without_pattern),
}


@pytest.fixture(scope="module")
def frames() -> Frames:
    """One of each camera."""
    return np.random.default_rng(0).integers(0, 256, (CAMERAS, *SMALL, 3), np.uint8)


def test_settings(
    small_bundle: Path, frames: Frames, benchmark: BenchmarkFixture, record: Record, pytestconfig: pytest.Config
) -> None:
    with ExitStack() as stack:
        monitors = {name: stack.enter_context(make(small_bundle)) for name, make in SETTINGS.items()}
        calls: dict[str, Callable[[], object]] = {
            name: partial(monitor.assess, frames[0]) for name, monitor in monitors.items()
        }
        times = take_turns(calls, pytestconfig.getoption("--pairs"), WARM_UP)
        for name in list(SETTINGS)[1:]:
            record(f"setting: {name} / default, {WHERE}", ratio(times[name], times["default"]), what="setting")
        benchmark.pedantic(calls["default"], rounds=3)  # type: ignore[no-untyped-call]


_FIRST = """
import sys, time, numpy
from lsood_runtime import OoDMonitor
frame = numpy.random.default_rng(0).integers(0, 256, tuple(map(int, sys.argv[2:5])), numpy.uint8)
with OoDMonitor(sys.argv[1], self_test=sys.argv[5] == "replayed") as monitor:
    seconds = []
    for _ in range(12):
        start = time.perf_counter()
        monitor.assess(frame)
        seconds.append(time.perf_counter() - start)
print(seconds[0], sorted(seconds[2:])[5])
"""


@pytest.mark.parametrize("start", ["replayed", "not replayed"])
def test_first_frame(start: str, small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """The first frame of a process over the median of ten later ones, with and without the golden frames before it."""

    def first() -> tuple[float, float]:
        words = [str(small_bundle), *map(str, (*SMALL, 3)), start]
        done = subprocess.run([sys.executable, "-c", _FIRST, *words], capture_output=True, text=True, check=True)
        one, later = map(float, done.stdout.split())
        return one, later

    seconds = np.array([first() for _ in range(LOADS)])
    figure: Ratio = ratio(seconds[:, 0], seconds[:, 1])
    record(f"first frame / later ones, golden frames {start}, {WHERE}", figure, what="first")
    benchmark.pedantic(first, rounds=1)  # type: ignore[no-untyped-call]


def test_cameras(
    small_bundle: Path, frames: Frames, benchmark: BenchmarkFixture, record: Record, pytestconfig: pytest.Config
) -> None:
    """Four frames that came at once, from the first call to the last verdict."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(CAMERAS))
        shared = stack.enter_context(OoDMonitor(small_bundle))
        shared.assess(frames[0])
        own = [stack.enter_context(OoDMonitor(small_bundle)) for _ in range(CAMERAS)]
        for monitor in own:
            monitor.assess(frames[0])
        single = [stack.enter_context(OoDMonitor(small_bundle, threads=1)) for _ in range(CAMERAS)]

        def each(monitors: list[OoDMonitor]) -> list[object]:
            return list(pool.map(lambda pair: pair[0].assess(pair[1]), zip(monitors, frames, strict=True)))

        calls: dict[str, Callable[[], object]] = {
            "one after the other": lambda: [shared.assess(frame) for frame in frames],
            "one monitor, a thread a camera": lambda: each([shared] * CAMERAS),
            "a monitor a camera": lambda: each(own),
            "a monitor a camera, threads=1": lambda: each(single),
            "assess_batch": lambda: shared.assess_batch(frames),
        }
        times = take_turns(calls, pytestconfig.getoption("--pairs"), WARM_UP)
        for name in list(calls)[1:]:
            quotient = ratio(times[name], times["one after the other"])
            record(f"{CAMERAS} cameras: {name} / one after the other, {WHERE}", quotient, what="cameras")
        benchmark.pedantic(calls["assess_batch"], rounds=3)  # type: ignore[no-untyped-call]


_MEMORY = """
import os, sys, numpy
from lsood_runtime import OoDMonitor
frame, resident, kept = numpy.zeros(tuple(map(int, sys.argv[2:5])), numpy.uint8), [], []
for _ in range(int(sys.argv[5]) + 1):
    resident.append(int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    kept.append(OoDMonitor(sys.argv[1]))
    kept[-1].assess(frame)
print(*resident)
"""


def test_memory(small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """Resident memory that the first monitor of a process adds, and each further one, in a process of its own."""

    def grown() -> list[int]:
        words = [str(small_bundle), *map(str, (*SMALL, 3)), str(CAMERAS + 1)]
        done = subprocess.run([sys.executable, "-c", _MEMORY, *words], capture_output=True, text=True, check=True)
        return list(map(int, done.stdout.split()))

    first, *more = np.diff(benchmark.pedantic(grown, rounds=1)) / 2**20  # type: ignore[no-untyped-call]
    mebibytes = {"the first": float(first), f"each of {CAMERAS} more": float(np.mean(more))}
    record(f"memory of a monitor, MiB, {WHERE}", mebibytes, what="memory")
