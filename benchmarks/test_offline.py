# SPDX-License-Identifier: Apache-2.0
"""What fitting costs: entropies of many frames, and the passes over the calibration frames."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import Seconds, latency, ratio, seconds, take_turns
from benchmarks.networks import Placement, alone, monitored, subject
from benchmarks.peers import kd_tree_entropies
from export.entropy import latent_entropy

FRAMES, BLOCKS, SAMPLES, CHANNELS = 1020, 30, 16, 2048


def test_entropies_of_a_thousand_frames(benchmark: BenchmarkFixture, record: Record) -> None:
    """A tree for each dimension of each frame against one expression over all of them, block by block of 34 frames."""
    latents = np.random.default_rng(0).normal(size=(FRAMES // BLOCKS, SAMPLES, CHANNELS)).astype(np.float32)
    np.testing.assert_allclose(latent_entropy(latents[:2]), list(map(kd_tree_entropies, latents[:2])), rtol=1e-9)
    calls = {
        "KD-trees": lambda: [kd_tree_entropies(frame) for frame in latents],
        "ours": lambda: latent_entropy(latents),
    }
    times = take_turns(calls, BLOCKS, warm_up=1)
    where = f"{FRAMES} frames, S={SAMPLES} C={CHANNELS}"
    record(f"entropies: KD-trees / ours, {where}", ratio(times["KD-trees"], times["ours"]), what="entropies")
    totals = {f"{name}, seconds": float(values.sum()) for name, values in times.items()}
    record(f"entropies of {where}", totals, what="entropies")
    benchmark.pedantic(calls["ours"], rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]


def test_calibration_pass(placement: Placement, benchmark: BenchmarkFixture, record: Record) -> None:
    """Frames a second of the pass that computes the entropies, and the share of it that the bare network takes."""
    who = subject("resnet18", *SMALL)
    calls = {"network": alone(who, placement), "pass": monitored(who, SAMPLES, placement)}
    times = take_turns(calls, rounds=30, warm_up=3)
    record("calibration: network / whole pass, resnet18", ratio(times["network"], times["pass"]), what="calibration")
    record("calibration pass, resnet18", latency(times["pass"], ()), what="calibration")
    benchmark.pedantic(calls["pass"], rounds=3)  # type: ignore[no-untyped-call]


PEAK = """
import resource, sys
from pathlib import Path
from export.frames import FrameFiles
from lsood_runtime import OoDMonitor
files = FrameFiles((Path(sys.argv[2]),), "rgb")
with OoDMonitor(sys.argv[1]) as monitor:
    for i in range(int(sys.argv[3])):
        monitor.score(files[i % len(files)])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_frames(small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """Largest resident memory of a fresh process that reads and scores so many frames, one at a time."""
    scenes = small_bundle.with_name("scenes")

    def peak(count: int) -> float:
        command = [sys.executable, "-c", PEAK, str(small_bundle), str(scenes), str(count)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    peaks = {count: peak(count) for count in (10, 50, 250)}
    record(
        "largest resident memory by frames, MiB", {str(count): value for count, value in peaks.items()}, what="memory"
    )
    benchmark.pedantic(peak, args=(5,), rounds=1)  # type: ignore[no-untyped-call]


START = """
import sys, time
import numpy as np
import onnxruntime
start = time.perf_counter()
from lsood_runtime import OoDMonitor
monitor = OoDMonitor(sys.argv[1], self_test=False)
loaded = time.perf_counter()
frame = np.random.default_rng(0).integers(0, 256, (256, 512, 3), np.uint8)
monitor.score(frame)
first = time.perf_counter()
monitor.score(frame)
print(loaded - start, first - loaded, time.perf_counter() - first)
"""


def test_start(small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """Import and load, the first frame and the second, in fresh processes; the self-test is left out."""

    def start() -> list[float]:
        command = [sys.executable, "-c", START, str(small_bundle)]
        return list(map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))

    times: Seconds = np.array([start() for _ in range(10)])
    for name, values in zip(("load", "first frame", "second frame"), times.T, strict=True):
        record(f"{name}, resnet18", latency(values, ()), what=name)
    benchmark.pedantic(lambda: seconds(start), rounds=1)  # type: ignore[no-untyped-call]
