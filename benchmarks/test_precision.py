# SPDX-License-Identifier: Apache-2.0
"""A monitored frame in fewer bits against the bare network in float32, and what the bits that are gone cost."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import SMALL, Record
from benchmarks.measure import latency, loss, ratio, take_turns
from benchmarks.networks import REDUCED, Placement, alone, monitored, subject
from export.anomalies import COMMON_KINDS
from export.data.synthetic import SyntheticRoads
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation
from export.pipeline.export_monitor import export_monitor
from export.pipeline.options import ExportOptions
from export.precision.options import FLOAT32, INT8, PrecisionOptions

SAMPLES, WARM_UP = 16, 4
CHECKPOINT, FRAME_SIZE = Path(__file__).parents[1] / "examples" / "demo" / "synthetic_roads.ckpt", (192, 384)
CALIBRATION, TEST = (120, 300), (40, 301)
"""Number of drawn scenes and their seed, neither of which the network was trained on."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backbone" in metafunc.fixturenames:
        metafunc.parametrize("backbone", metafunc.config.getoption("--backbones"))


def test_speed(
    backbone: str, placement: Placement, benchmark: BenchmarkFixture, record: Record, pytestconfig: pytest.Config
) -> None:
    kind, who = REDUCED[placement.provider], subject(backbone, *SMALL)
    calls = {
        "fp32 alone": alone(who, placement),
        f"{kind} alone": alone(who, placement, kind),
        f"{kind} monitored": monitored(who, SAMPLES, placement, precision=kind),
    }
    times = take_turns(calls, pytestconfig.getoption("--pairs"), WARM_UP)
    where = f"{backbone} {SMALL[0]}x{SMALL[1]} S={SAMPLES}"
    facts = {"backbone": backbone, "samples": SAMPLES, "what": "precision"}
    for name, other in ((f"{kind} monitored", "fp32 alone"), (f"{kind} monitored", f"{kind} alone")):
        record(f"{name} / {other}, {where}", ratio(times[name], times[other]), **facts)
    for name, values in times.items():
        record(f"{name}, {where}", latency(values, ()), **facts)
    benchmark.pedantic(calls[f"{kind} monitored"], rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]


def write_scenes(folder: Path, count: int, seed: int) -> tuple[Path, Path]:
    """Drawn scenes and their labels, as files."""
    frames, labels = folder / "frames", folder / "labels"
    frames.mkdir(parents=True)
    labels.mkdir()
    height, width = FRAME_SIZE
    scenes = SyntheticRoads(count, height, width, seed=seed)
    for i in range(count):
        for picture, where in zip(scenes[i], (frames, labels), strict=True):
            Image.fromarray(np.asarray(picture, np.uint8)).save(where / f"{i:04d}.png")
    return frames, labels


def test_what_it_costs(benchmark: BenchmarkFixture, record: Record, tmp_path: Path) -> None:
    """The demo's trained network on drawn scenes with labels; int8, whose every step runs here."""
    calibration, _ = write_scenes(tmp_path / "calibration", *CALIBRATION)
    frames, labels = write_scenes(tmp_path / "test", *TEST)

    def evaluated(kind: str) -> Evaluation:
        out = tmp_path / kind
        options = ExportOptions(CHECKPOINT, (calibration,), out, precision=PrecisionOptions(kind))
        export_monitor(options)
        asked = EvaluationOptions(out, (frames,), labels=(labels,), severities=(1, 3, 5), every=2)
        return evaluate(asked)

    before, after = evaluated(FLOAT32), evaluated(INT8)
    aurocs = [np.array([shift.figures["auroc"].value for shift in result.shifts]) for result in (before, after)]
    assert len(aurocs[0]) == 3 * len(COMMON_KINDS)
    record(f"{INT8}: AUROC lost, demo network, a pair for each shift", loss(*aurocs), what="auroc")
    assert before.ind.iou is not None
    assert after.ind.iou is not None
    record(f"{INT8}: mIoU lost, demo network, in-distribution scenes", loss(before.ind.iou, after.ind.iou), what="miou")
    shifted = [
        np.concatenate([s.frames.iou for s in result.shifts if s.frames.iou is not None]) for result in (before, after)
    ]
    record(f"{INT8}: mIoU lost, demo network, degraded scenes", loss(*shifted), what="miou")
    precision = after.manifest.precision
    facts = {"flips": precision.flips, "AUROC lost": precision.auroc_loss, "pixels changed": precision.pixel_changes}
    record(f"{INT8}: what the gate saw", facts, what="gate")
    benchmark.pedantic(lambda: precision, rounds=1)  # type: ignore[no-untyped-call]
