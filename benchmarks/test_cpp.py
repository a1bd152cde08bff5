# SPDX-License-Identifier: Apache-2.0
"""What a frame costs in C++ beyond ONNX Runtime, beside the same in Python, frame by frame within one process."""

import ctypes
import time
from ctypes import POINTER, byref, c_char_p, c_double, c_int64, c_uint8
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import median_with_interval, ratio, watch_runs
from lsood_runtime import OoDMonitor
from tests.cpp.building import build_library, require_tools

FRAMES, WARM_UP = 200, 10


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The monitor in C++, which tells the time inside of Run as well."""
    require_tools()
    build = build_library(tmp_path_factory.mktemp("cpp"), "-DLSOOD_BUILD_BENCHMARKS=ON")
    loaded = ctypes.CDLL(str(build / "liblsood_frame.so"))
    loaded.frame_open.argtypes = [c_char_p]
    loaded.frame_score.argtypes = [POINTER(c_uint8), c_int64, c_int64, POINTER(c_double), POINTER(c_double)]
    loaded.frame_score.restype = c_double
    return loaded


def test_cpp_beside_python(
    library: ctypes.CDLL, small_bundle: Path, benchmark: BenchmarkFixture, record: Record
) -> None:
    """Both score the same frames in turn; who goes first changes from frame to frame."""
    generator = np.random.default_rng(0)
    assert library.frame_open(str(small_bundle).encode()) == 1
    whole, inside = c_double(), c_double()

    def in_cpp(frame: NDArray[np.uint8]) -> tuple[float, float, float]:
        pixels = frame.ctypes.data_as(POINTER(c_uint8))
        score: float = library.frame_score(pixels, *SMALL, byref(whole), byref(inside))
        return score, whole.value, inside.value

    with OoDMonitor(small_bundle) as monitor:
        watches = watch_runs(monitor)

        def in_python(frame: NDArray[np.uint8]) -> tuple[float, float, float]:
            before, start = sum(watch.seconds for watch in watches), time.perf_counter()
            score = monitor.score(frame)
            return score, time.perf_counter() - start, sum(watch.seconds for watch in watches) - before

        rows = []
        for i in range(WARM_UP + FRAMES):
            frame: NDArray[np.uint8] = generator.integers(0, 256, (*SMALL, 3), np.uint8)
            turns = [in_cpp, in_python] if i % 2 else [in_python, in_cpp]
            taken = {call: call(frame) for call in turns}
            assert taken[in_cpp][0] == taken[in_python][0]
            rows.append((*taken[in_cpp][1:], *taken[in_python][1:]))
        benchmark.pedantic(in_cpp, args=(frame,), rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
    cpp, cpp_run, python, python_run = np.array(rows[WARM_UP:]).T
    size = f"resnet18 {SMALL[0]}x{SMALL[1]}"
    for language, call, run in (("C++", cpp, cpp_run), ("Python", python, python_run)):
        beyond = {"microseconds": 1e6 * float(np.median(call - run)), "frame_ms": 1e3 * float(np.median(call))}
        figure = median_with_interval((call - run) / run)
        record(f"score() in {language}: beyond Run / Run, {size}", figure, what="cpp", **beyond)
    record(f"score(): C++ / Python, {size}", ratio(cpp, python), what="cpp")
