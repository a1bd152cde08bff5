# SPDX-License-Identifier: Apache-2.0
"""What fitting costs: entropies of many frames, and the passes over the calibration frames."""

import subprocess
import sys
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SCENES, Record
from benchmarks.measure import Seconds, Stopwatch, Watched, latency, ratio, seconds, take_turns
from benchmarks.peers import kd_tree_entropies
from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.detectors.entropy import latent_entropy
from export.frames.files import FrameFiles, read_frame

FRAMES, BLOCKS, SAMPLES, CHANNELS, WARM_UP = 1020, 30, 16, 2048, 5


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


def test_calibration_pass(small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """Frames a second of what ``calibrate`` does with each frame: read, run the graphs; and where the time goes."""
    graphs: Any = EvaluationGraphs(small_bundle)
    parts = {"network": Stopwatch(graphs._evaluation.run), "detector": Stopwatch(graphs._detector.run)}
    graphs._evaluation = Watched(graphs._evaluation, parts["network"])
    graphs._detector = Watched(graphs._detector, parts["detector"])
    files = FrameFiles((small_bundle.with_name("scenes"),), graphs.manifest.input.channels)
    shares, whole = [], []

    def calibrate_on(path: Path) -> object:
        return next(measure(graphs, [(str(path), read_frame(path))]))

    for path in files.paths:
        before = {name: part.seconds for name, part in parts.items()}
        whole.append(seconds(partial(calibrate_on, path)))
        shares.append([(part.seconds - before[name]) / whole[-1] for name, part in parts.items()])
    times = np.array(whole[WARM_UP:])
    inside = dict(zip(parts, np.median(shares[WARM_UP:], axis=0), strict=True))
    rest = 1 - sum(inside.values())
    record("calibration, a frame from its file, resnet18", latency(times, ()), what="calibration")
    facts = {
        "frames a second": 1 / np.median(times),
        **{f"share of {k}": v for k, v in inside.items()},
        "share of the rest": rest,
    }
    record("calibration, resnet18", {k: float(v) for k, v in facts.items()}, what="calibration")
    benchmark.pedantic(lambda: graphs(read_frame(files.paths[0])), rounds=3)  # type: ignore[no-untyped-call]


PEAK = """
import sys
from pathlib import Path
from export.calibration.options import CalibrationOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.recalibrate import recalibrate
bundle, scenes, copies, out = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
options = RecalibrationOptions(bundle, out, (scenes,) * copies, calibration=CalibrationOptions(rates={"10%": 0.1}))
recalibrate(options)
# Not ru_maxrss: a new process begins with its parent's.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def test_memory_does_not_grow_with_frames(
    small_bundle: Path, benchmark: BenchmarkFixture, record: Record, tmp_path: Path
) -> None:
    """Largest resident memory of a fresh process that calibrates a bundle on so many frames."""
    scenes, names = small_bundle.with_name("scenes"), count()

    def peak(copies: int) -> float:
        arguments = [str(small_bundle), str(scenes), str(copies), str(tmp_path / f"{next(names)}")]
        done = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=True)
        return float(done.stdout)

    peaks = {copies * SCENES: peak(copies) for copies in (1, 4, 16)}
    facts = {str(frames): value for frames, value in peaks.items()}
    record("largest resident memory of a calibration by frames, MiB", facts, what="memory")
    benchmark.pedantic(peak, args=(1,), rounds=1)  # type: ignore[no-untyped-call]


START = """
import sys, time
from pathlib import Path
import numpy as np
import onnxruntime
def resident():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024
before = resident()
start = time.perf_counter()
from lsood_runtime import OoDMonitor
monitor = OoDMonitor(sys.argv[1], self_test=False)
loaded = time.perf_counter()
frame = np.random.default_rng(0).integers(0, 256, (256, 512, 3), np.uint8)
monitor.score(frame)
first = time.perf_counter()
monitor.score(frame)
print(loaded - start, first - loaded, time.perf_counter() - first, before, resident())
"""


def test_start(small_bundle: Path, benchmark: BenchmarkFixture, record: Record) -> None:
    """Import and load, the first frame and the second, and memory, in fresh processes; the self-test is left out."""

    def start() -> list[float]:
        command = [sys.executable, "-c", START, str(small_bundle)]
        return list(map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))

    rows = np.array([start() for _ in range(10)])
    times: Seconds = rows[:, :3]
    for name, values in zip(("load", "first frame", "second frame"), times.T, strict=True):
        record(f"{name}, resnet18", latency(values, ()), what=name)
    before, after = map(float, np.median(rows[:, 3:], axis=0))
    record("resident memory, resnet18, MiB", {"numpy and ONNX Runtime": before, "with a monitor": after}, what="memory")
    benchmark.pedantic(lambda: seconds(start), rounds=1)  # type: ignore[no-untyped-call]
