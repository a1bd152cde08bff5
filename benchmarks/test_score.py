# SPDX-License-Identifier: Apache-2.0
"""What `OoDMonitor` does in Python around ONNX Runtime, and what importing it costs."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import ratios, write_bundle
from lsood_runtime import KOfN, OoDMonitor

FRAMES, WARM_UP, IMPORTS = 60, 5, 15
HEIGHT, WIDTH = 256, 512


class Stopwatch:
    """Adds up the time that a function takes."""

    def __init__(self, function: Any) -> None:
        self._function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return self._function(*arguments, **options)
        finally:
            self.seconds += time.perf_counter() - start


@pytest.mark.parametrize("call", ["score", "assess", "stream"])
def test_python_around_onnx_runtime(
    call: str, benchmark: BenchmarkFixture, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The whole call less both ``session.run``, over the whole call, frame by frame."""
    rng = np.random.default_rng(0)
    with OoDMonitor(write_bundle(tmp_path / "monitor", "resnet18", HEIGHT, WIDTH, 16)) as monitor:
        assert monitor._loaded is not None
        way: Any = monitor._loaded.way
        watches = []
        for graph in (way._network, way._detector):
            graph.session = _Session(graph.session)
            watches.append(graph.session.run)
        calls: dict[str, Callable[..., object]] = {
            "score": monitor.score,
            "assess": monitor.assess,
            "stream": monitor.stream(KOfN()).assess,
        }
        function = calls[call]
        shares = []
        for i in range(WARM_UP + FRAMES):
            frame: NDArray[np.uint8] = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
            before = sum(watch.seconds for watch in watches)
            start = time.perf_counter()
            function(frame)
            whole = time.perf_counter() - start
            inside = sum(watch.seconds for watch in watches) - before
            if i >= WARM_UP:
                shares.append(((whole - inside) / inside, whole - inside))
        quartiles = np.quantile([share for share, _ in shares], [0.25, 0.5, 0.75])
        microseconds = 1e6 * float(np.median([seconds for _, seconds in shares]))
        benchmark.extra_info |= {"frames": FRAMES, "share_quartiles": quartiles.tolist(), "microseconds": microseconds}
        pytestconfig.stash[ratios].append(
            f"{call}(), resnet18 {HEIGHT}x{WIDTH}: Python around session.run {microseconds:.0f} us, {quartiles[1]:.3%} of it "
            f"(quartiles {quartiles[0]:.3%} to {quartiles[2]:.3%}, {FRAMES} frames)"
        )
        benchmark.pedantic(function, args=(frame,), rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]


class _Session:
    def __init__(self, session: Any) -> None:
        self.run = Stopwatch(session.run)


NUMPY = "import time; t = time.perf_counter(); import numpy; print(time.perf_counter() - t)"
OURS = "import numpy, onnxruntime, time; t = time.perf_counter(); import lsood_runtime; print(time.perf_counter() - t)"


def test_import(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> None:
    """A fresh process each, pair by pair."""

    def seconds(script: str) -> float:
        return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)

    quotients = [seconds(OURS) / seconds(NUMPY) for _ in range(IMPORTS)]
    low, median, high = np.quantile(quotients, [0.25, 0.5, 0.75])
    pytestconfig.stash[ratios].append(
        f"import lsood_runtime / import numpy: {median:.2f} (quartiles {low:.2f} to {high:.2f}, {IMPORTS} pairs)"
    )
    benchmark.pedantic(seconds, args=(OURS,), rounds=3)  # type: ignore[no-untyped-call]
