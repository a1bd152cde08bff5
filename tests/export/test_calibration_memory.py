# SPDX-License-Identifier: Apache-2.0
"""Memory of a calibration: that of a thousand frames does for ten thousand."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from export.calibration import measured_folder
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.measured_folder import MeasuringOptions, begin_folder, measure_into_folder
from export.features.folder import CHUNK, FeatureFolder, FolderContents
from export.features.frames import Features
from export.frames.files import FrameFiles
from export.reporter import SILENT
from tests.conftest import write_scenes

_TELLS_ITS_PEAK = """
import atexit, pathlib
atexit.register(lambda: print([x for x in pathlib.Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x][0]))
from export.__main__ import main
main()
"""


def simulate(path: Path, graphs: EvaluationGraphs, count: int) -> Path:
    """Features of so many frames, in drives of 250, around those of one real frame."""
    real = graphs(np.full((*_frame_size(graphs), 3), 90, np.uint8)).values
    contents = FolderContents(graphs.manifest.network_sha256, "simulated", count, "simulated", CHUNK)
    folder, rng = FeatureFolder.begin(path, contents), np.random.default_rng(0)
    for number, span in enumerate(folder.spans):
        values = {
            key: (row + 0.1 * rng.standard_normal((len(span), len(row)))).astype(np.float32)
            for key, row in real.items()
        }
        names = np.array([f"{i // 250:03d}_{i:06d}.png" for i in span])
        folder.write(number, Features(names, np.zeros(len(span)), values))
    return path


def _frame_size(graphs: EvaluationGraphs) -> tuple[int, int]:
    contract = graphs.manifest.input
    return contract.frame_height, contract.frame_width


def peak_of(bundle: Path, features: Path, out: Path, detector: str) -> float:
    """Largest memory of a calibration in a process of its own, MiB."""
    command = [sys.executable, "-c", _TELLS_ITS_PEAK, "calibrate", str(bundle), "--features", str(features)]
    options = ["--detector", detector, "--group-by", "prefix", "--threads", "1", "--quiet", "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("detector", ["fused", "mahalanobis"])
def test_calibrate_of_ten_times_as_many_frames_takes_the_same_memory(
    bundle: Path, tmp_path: Path, detector: str
) -> None:
    graphs = EvaluationGraphs(bundle)
    peaks = [
        peak_of(bundle, simulate(tmp_path / str(count), graphs, count), tmp_path / f"{count}-bundle", detector)
        for count in (1_000, 10_000)
    ]
    assert peaks[1] <= 1.05 * peaks[0]


_TELLS_THE_GRAPHS_PEAK = """
import pathlib, sys
import numpy as np
from sklearn.pipeline import Pipeline
from export.detectors.compressed_density import CompressedDensity, Rounding
from export.detectors.density_codes import CodeLayout
from export.detectors.fitted import OnePart, Part
from export.detectors.kernel_density import KernelDensityDetector
from export.features.key import FeatureKey
from export.graphs.detector import features_graph

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

points, rng = int(sys.argv[1]), np.random.default_rng(0)
layout = CodeLayout(np.repeat([16, 8, 4, 2, 1], [4, 80, 60, 40, 40]), np.ones(224))
codes = rng.integers(-127, 128, (points, layout.coarse)).astype(np.int8)
fine = rng.integers(0, 256, (points, layout.spans()[-1][2].stop)).astype(np.uint8)
directions = rng.integers(-127, 128, (224, 512)).astype(np.int8)
detector = KernelDensityDetector(1.0)
detector.compressed_ = CompressedDensity(
    1.0, np.zeros(512), directions, np.ones(224), layout, codes, fine,
    np.ones(points, np.float32), np.ones(points, np.float32), Rounding(1, 1, 1, 1),
)
detector.n_features_in_, detector.bandwidth_ = 512, 1.0
part = Part("density", (FeatureKey.entropy(),), "kde", Pipeline([("detector", detector)]))
before = peak()
graph = features_graph(OnePart(part), {"latent_samples": (16, 512)})
print(1024 * (peak() - before), graph.ByteSize())
"""


def test_features_graph_of_a_compressed_density_takes_the_memory_of_few_copies() -> None:
    """skl2onnx alone makes a Python number of each byte: thirty times as much."""
    command = [sys.executable, "-c", _TELLS_THE_GRAPHS_PEAK, "100000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    taken, size = map(int, done.stdout.split())
    assert size > 12e6
    assert taken < 8 * size


@pytest.mark.slow
def test_measure_into_folder_of_more_frames_holds_their_paths_alone(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_folder, "CHUNK", 16)
    graphs = EvaluationGraphs(bundle, threads=1)
    peaks: list[int] = []
    for count in (16, 16, 160):  # the first run fills what is filled once
        files = FrameFiles([write_scenes(tmp_path / f"frames{len(peaks)}", count, seed=1)])
        folder = begin_folder(tmp_path / f"features{len(peaks)}", graphs, files)
        options = MeasuringOptions(bundle, (tmp_path / f"frames{len(peaks)}",), threads=1)
        tracemalloc.start()
        measure_into_folder(folder, graphs, files, options, SILENT)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 512 * (160 - 16)
