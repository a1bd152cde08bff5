# SPDX-License-Identifier: Apache-2.0
"""What a calibration on many frames costs, and how far the compressed density is from the full sum.

    python examples/many_frames.py --folder runs/many --frames 1000 10000 100000

A network with a tap of 2,048 channels is exported once. For each number of frames the entropies of as many are simulated into
a folder of features, and ``python -m export calibrate --features`` runs on it in a process of its own, whose time and largest
memory are taken. The detector's graph is then timed on single frames, with the caches cleared between them, and its scores of
frames of new drives and of nine shifts are compared with the full sum over all frames at the same bandwidth.

Simulated are drives that start anywhere and wander, with heavy tails, along 400 directions: ``falling`` has the spectrum that
entropies of IDD-lite frames have (.15 .41 .55 .66 .77 .88 .97 of the variance in 1 4 8 16 32 64 128 directions) and little
noise beside it; ``even`` adds noise that is independent from frame to frame, along 512 directions, a hard case for any code.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before ONNX Runtime is imported

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.utils import Extractor
from PIL import Image
from scipy.special import logsumexp
from scipy.stats import spearmanr

from export.features.folder import CHUNK, FeatureFolder, FolderContents
from export.features.frames import Features
from export.features.key import FeatureKey
from lsood_runtime import read_manifest

WIDTH, PER_DRIVE = 2048, 100
_CACHES, _TIMED = 64_000_000, 60
Rows = NDArray[np.float32]


class SimulatedEntropies:
    """Entropies of drives.

    Args:
        even: whether frames have independent noise along 512 directions.
    """

    def __init__(self, *, even: bool) -> None:
        world = np.random.default_rng(0)
        ranks = np.arange(400)
        variances = (3.0 + ranks) ** -1.1 * np.exp(-ranks / 150)
        self.spread = np.sqrt(variances / variances.sum())
        self.basis = np.linalg.qr(world.normal(size=(WIDTH, 400 + 512)))[0].T.astype(np.float32)
        self.noise = 0.35 * (1 + np.arange(512)) ** -0.2 / np.sqrt(512) if even else np.zeros(512)

    def drive(
        self, seed: tuple[int, ...], count: int, *, scale: float = 1.0, offset: float = 0.0, white: float = 0.0
    ) -> Rows:
        """Frames ``(count, 2048)`` of one drive; scale, offset and white noise make a shift of it."""
        rng = np.random.default_rng(seed)
        start, loud = rng.standard_t(6, size=400) * 0.8, np.exp(0.3 * rng.normal())
        steps, state = rng.normal(size=(count, 400)), rng.normal(size=400)
        path = np.empty((count, 400))
        for i in range(count):
            state = 0.9 * state + np.sqrt(1 - 0.81) * steps[i]
            path[i] = start + 0.6 * loud * state
        direction = np.random.default_rng((99, int(1000 * offset))).normal(size=400)
        path = (path + offset * direction) * self.spread * scale
        noise = rng.normal(size=(count, 512)) * self.noise
        rows = np.concatenate([path, noise], axis=1).astype(np.float32) @ self.basis * 8
        rows += (0.03 + white) * rng.standard_normal(rows.shape, np.float32)
        return rows.astype(np.float32)

    def test_frames(self) -> tuple[Rows, Rows]:
        """Frames of 40 new drives, and of five new drives under each of nine shifts."""
        new = np.concatenate([self.drive((2, i), 25) for i in range(40)])
        shifts = [{"offset": a} for a in (0.5, 1.0, 2.0)] + [{"scale": a} for a in (0.7, 1.3, 1.6)]
        shifts += [{"white": a} for a in (0.01, 0.03, 0.06)]
        moved = [self.drive((3, s, i), 20, **shift) for s, shift in enumerate(shifts) for i in range(5)]
        return new, np.concatenate(moved)


def export_network(folder: Path) -> Path:
    """Export a network with a wide tap, on a few drawn scenes."""
    import torch  # here: the calibration is measured without it

    from export.calibration.options import CalibrationOptions
    from export.data.synthetic import SyntheticRoads
    from export.pipeline.export_monitor import ExportOptions, export_monitor

    (folder / "scenes").mkdir(exist_ok=True)
    scenes = SyntheticRoads(24, 64, 64, seed=0)
    for i in range(len(scenes)):
        Image.fromarray(scenes[i][0]).save(folder / "scenes" / f"{i:04d}.png")
    (folder / "wide_net.py").write_text(_NETWORK)
    sys.path.insert(0, str(folder))
    from wide_net import Net  # type: ignore[import-not-found]

    torch.manual_seed(0)
    torch.save(Net().state_dict(), folder / "wide.ckpt")
    options = ExportOptions(
        ckpt=folder / "wide.ckpt",
        frames=(folder / "scenes",),
        out=folder / "monitor",
        model="wide_net:Net",
        overwrite=True,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        calibration=CalibrationOptions(detector="kde", rates={"20%": 0.2}),
    )
    export_monitor(options)
    return folder / "monitor"


_NETWORK = """
from torch import nn
from export.layers.dropblock import DropBlock2D


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 2048, 8, stride=8)
        self.drop = DropBlock2D(0.5, 2)
        self.head = nn.Conv2d(2048, 4, 1)

    def forward(self, x):
        y = self.head(self.drop(self.stem(x)))
        return nn.functional.interpolate(y, scale_factor=8.0, mode="bilinear")
"""


def write_features(path: Path, world: SimulatedEntropies, count: int, network_sha256: str) -> None:
    """Simulate the features of drives of a hundred frames into a folder."""
    folder = FeatureFolder.begin(path, FolderContents(network_sha256, "simulated", count, "simulated", CHUNK))
    waiting = np.zeros((0, WIDTH), np.float32)
    drives = iter(range(-(-count // PER_DRIVE)))
    for number, span in enumerate(folder.spans):
        while len(waiting) < len(span):
            waiting = np.concatenate([waiting, world.drive((1, next(drives)), PER_DRIVE)])
        names = np.array([f"{i // PER_DRIVE:05d}_{i:06d}.png" for i in span])
        folder.write(number, Features(names, np.zeros(len(span)), {FeatureKey.entropy(): waiting[: len(span)]}))
        waiting = waiting[len(span) :]


def rows_of(path: Path, count: int) -> Iterator[Rows]:
    """The first features of a folder, file by file."""
    folder = FeatureFolder.open(path)
    for number, span in enumerate(folder.spans):
        if span.start < count:
            yield folder.read(number, str(FeatureKey.entropy()))[: count - span.start]


@dataclass(frozen=True)
class Cost:
    """Cost of a process.

    Attributes:
        seconds: of processor time.
        wall: seconds on the clock.
        peak: largest memory, MiB.
    """

    seconds: float
    wall: float
    peak: float


def run_measured(command: list[str]) -> Cost:
    """Run a command and take its time and memory; a process inherits ``ru_maxrss``, so ``VmHWM`` is read while it runs."""
    started, before, peak = time.monotonic(), os.times(), 0
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "2"})
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"expected exit code 0 of {' '.join(command)}, got {process.returncode}")
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(seconds, time.monotonic() - started, peak / 1024)


def full_scores(path: Path, fitted: int, rows: Rows, bandwidth: float) -> NDArray[np.float64]:
    """Minus the log of the full sum over the first frames of a folder, but for a constant."""
    mean = next(rows_of(path, fitted)).mean(axis=0)
    centred = rows - mean
    own, sums = (centred.astype(np.float64) ** 2).sum(axis=1), np.full(len(rows), -np.inf)
    for points in rows_of(path, fitted):
        block = points - mean
        squared = own[:, None] + (block.astype(np.float64) ** 2).sum(axis=1) - 2 * (centred @ block.T)
        sums = np.logaddexp(sums, logsumexp(-squared / (2 * bandwidth**2), axis=1))
    return -sums


@dataclass(frozen=True)
class Fidelity:
    """The detector's graph against the full sum, and the time of a frame.

    Attributes:
        milliseconds: of one thread's processor time for a frame, median, with cleared caches.
        ordinary: Spearman's correlation on frames of new drives.
        every: the same on these and the shifted ones.
        verdicts: share of all frames with the same verdict, each side flagging 5 % of the frames of new drives.
    """

    milliseconds: float
    ordinary: float
    every: float
    verdicts: float


def compare(bundle: Path, features: Path, fitted: int, world: SimulatedEntropies) -> Fidelity:
    """Score frames of new drives and shifted ones by the graph behind the entropies, and by the full sum."""
    new, moved = world.test_frames()
    rows = np.concatenate([new, moved])
    graph = Extractor(onnx.load(bundle / "detector.onnx")).extract_model(["entropy"], ["score"])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    scores, times, caches = np.empty(len(rows)), [], np.zeros(_CACHES, np.uint8)
    for i in range(len(rows)):
        if i < _TIMED:
            caches += 1
        started = time.thread_time()
        (scores[i],) = session.run(["score"], {"entropy": rows[i : i + 1]})[0]
        times.append(time.thread_time() - started)
    exact = full_scores(features, fitted, rows, read_manifest(bundle).detector.parameters["bandwidth"])
    flagged = [values > np.quantile(values[: len(new)], 0.95) for values in (scores, exact)]
    return Fidelity(
        milliseconds=1000 * float(np.median(times[:_TIMED])),
        ordinary=float(spearmanr(scores[: len(new)], exact[: len(new)]).statistic),
        every=float(spearmanr(scores, exact).statistic),
        verdicts=float((flagged[0] == flagged[1]).mean()),
    )


def measure_row(folder: Path, monitor: Path, detector: str, kind: str, count: int) -> str:
    """One row of the table."""
    world, features, out = (
        SimulatedEntropies(even=kind == "even"),
        folder / f"{detector}-{kind}-{count}",
        folder / f"{detector}-{kind}-{count}-bundle",
    )
    write_features(features, world, count, read_manifest(monitor).network_sha256)
    last = max(count // PER_DRIVE // 10, 2)
    held = [f"{drive:05d}" for drive in range(-(-count // PER_DRIVE) - last, -(-count // PER_DRIVE))]
    cost = run_measured(
        [
            *(sys.executable, "-m", "export", "calibrate", str(monitor), "--features", str(features), "--quiet"),
            *("--group-by", "prefix", "--threshold-drives", *held, "--detector", detector),
            *("--overwrite", "--out", str(out)),
        ]
    )
    fidelity = compare(out, features, count - last * PER_DRIVE, world) if detector == "kde" else None
    elsewhere = ("segmentation.onnx", "evaluation.onnx", "weights.bin", "detector.onnx")
    size = sum(path.stat().st_size for path in out.iterdir() if path.name not in elsewhere)
    size += onnx.load(out / "detector.onnx").ByteSize()  # with its weights, which lie beside the network's
    measured = ["", "", "", ""]
    if fidelity is not None:
        measured = [
            f"{fidelity.milliseconds:.2f}",
            f"{fidelity.ordinary:.5f}",
            f"{fidelity.every:.5f}",
            f"{fidelity.verdicts:.4f}",
        ]
    shutil.rmtree(features)
    cells = [
        detector,
        kind,
        f"{count:,}",
        f"{cost.seconds:.0f}",
        f"{cost.wall:.0f}",
        f"{cost.peak:.0f}",
        f"{size / 1e6:.1f}",
    ]
    return "| " + " | ".join([*cells, *measured]) + " |"


def main() -> None:
    """Write the table in Markdown, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the network and the features")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=["falling", "even"], choices=["falling", "even"])
    parser.add_argument("--detectors", nargs="+", default=["kde", "mahalanobis"], choices=["kde", "mahalanobis"])
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    monitor = chosen.folder / "monitor"
    if not monitor.exists():
        export_network(chosen.folder)
    print(_HEAD, flush=True)
    for detector in chosen.detectors:
        for kind in chosen.kinds if detector == "kde" else chosen.kinds[:1]:
            for count in chosen.frames:
                print(measure_row(chosen.folder, monitor, detector, kind, count), flush=True)


_COLUMNS = (
    *("detector", "noise", "frames", "processor s", "wall s", "peak MiB", "bundle less network, MB", "ms a frame"),
    *("Spearman, new drives", "Spearman, all", "same verdict"),
)
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"


if __name__ == "__main__":
    main()
