# SPDX-License-Identifier: Apache-2.0
"""What `OoDMonitor` does in Python around ONNX Runtime, and what importing it costs."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import median_with_interval, watch_runs
from lsood_runtime import KOfN, OoDMonitor

FRAMES, WARM_UP, IMPORTS = 60, 5, 30


@pytest.mark.parametrize("call", ["score", "assess", "stream"])
def test_python_around_onnx_runtime(call: str, small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """The whole call less both ``session.run``, over the whole call, frame by frame."""
    rng = np.random.default_rng(0)
    with OoDMonitor(small_bundle) as monitor:
        watches = watch_runs(monitor)
        calls: dict[str, Callable[..., object]] = {
            "score": monitor.score,
            "assess": monitor.assess,
            "stream": monitor.stream(KOfN()).assess,
        }
        function = calls[call]
        shares = []
        for i in range(WARM_UP + FRAMES):
            frame: NDArray[np.uint8] = rng.integers(0, 256, (*SMALL, 3), np.uint8)
            before = sum(watch.seconds for watch in watches)
            start = time.perf_counter()
            function(frame)
            whole = time.perf_counter() - start
            inside = sum(watch.seconds for watch in watches) - before
            if i >= WARM_UP:
                shares.append(((whole - inside) / inside, whole - inside))
        microseconds = {"microseconds": 1e6 * float(np.median([beyond for _, beyond in shares]))}
        figure = median_with_interval(np.array([share for share, _ in shares]))
        record(f"{call}(): Python / session.run, resnet18 {SMALL[0]}x{SMALL[1]}", figure, what="python", **microseconds)
        benchmark.pedantic(function, args=(frame,), rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]


NUMPY = "import time; t = time.perf_counter(); import numpy; print(time.perf_counter() - t)"
OURS = "import numpy, onnxruntime, time; t = time.perf_counter(); import lsood_runtime; print(time.perf_counter() - t)"


def test_import(benchmark: BenchmarkFixture, record: Record) -> None:
    """A fresh process each, pair by pair."""

    def seconds(script: str) -> float:
        return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)

    quotients = np.array([seconds(OURS) / seconds(NUMPY) for _ in range(IMPORTS)])
    record("import lsood_runtime / import numpy", median_with_interval(quotients), what="import")
    benchmark.pedantic(seconds, args=(OURS,), rounds=3)  # type: ignore[no-untyped-call]
