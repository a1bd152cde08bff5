# SPDX-License-Identifier: Apache-2.0
"""What an export says of a frame's cost: before the long work by operations, after it by the clock."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from export.calibration.options import CalibrationOptions
from export.layers.preprocessing import Preprocessing
from export.pipeline.cost import measured_cost, report_expected_cost
from export.pipeline.export_monitor import ExportOptions, export_monitor
from export.sampling.sampler import build_sampler
from tests.export.pipeline.told_reporter import ToldReporter
from tests.networks import HEIGHT, WIDTH, ColourClasses, DropoutUNet, settled

CONSTANTS: dict[str, Any] = {"drop_prob": 0.6, "block_size": 2}


@pytest.mark.parametrize(
    ("tap", "more", "warned"),
    [
        ("up1", {}, r"drop1, drop2, drop3 runs 8 times a frame: --only-tap draws masks"),
        ("bottleneck", {"only_tap": True, **CONSTANTS}, None),
        ("drop1", {}, None),
    ],
)
def test_report_expected_cost_warns_of_dear_samples_with_a_remedy(
    tap: str, more: dict[str, Any], warned: str | None
) -> None:
    preprocessing = Preprocessing(HEIGHT, WIDTH, (0.5,) * 3, (0.2,) * 3)
    sampler = build_sampler(settled(DropoutUNet()), torch.zeros(1, 3, HEIGHT, WIDTH), [tap], mc_samples=8, **more)
    inputs: Any = SimpleNamespace(preprocessing=preprocessing, frames=[np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
    sampled: Any = SimpleNamespace(sampler=sampler)
    reporter = ToldReporter()
    ratio = report_expected_cost(inputs, sampled, reporter)
    assert ratio is not None
    assert (
        reporter.lines[0]
        == f"expected cost: {ratio:.2f} of the bare network's operations, convolutions and matrix products alone"
    )
    assert (ratio > 1.2) == (warned is not None)
    assert len(reporter.lines) == (1 if warned is None else 2)
    if warned is not None:
        assert reporter.lines[1].startswith("warning: more than 1.2")
        assert warned in reporter.lines[1]


@pytest.mark.parametrize("pairs", [6, 7, 20, 51, 100])
def test_measured_cost_of_drawn_pairs_holds_the_true_ratio(pairs: int) -> None:
    rng, held = np.random.default_rng(pairs), 0
    for _ in range(400):
        machine = rng.lognormal(0, 1, pairs)  # a load that slows both frames of a pair alike
        seconds = np.column_stack([machine, 1.1 * machine * rng.lognormal(0, 0.3, pairs)])
        low, high = (float(end) for end in re.findall(r"\(([\d.]+) to ([\d.]+) by", measured_cost(seconds)[0])[0])
        held += low - 0.005 <= 1.1 <= high + 0.005
    assert held >= 0.93 * 400


def test_measured_cost_warns_where_the_whole_interval_is_dear_and_not_of_noise() -> None:
    alone = np.full(21, 0.01)
    noisy = 1.3 * np.where(np.arange(21) % 2, 2.0, 0.5)
    assert len(measured_cost(np.column_stack([alone, 1.3 * alone]))) == 2
    assert len(measured_cost(np.column_stack([alone, noisy * alone]))) == 1
    assert len(measured_cost(np.column_stack([alone, 1.1 * alone]))) == 1


def test_export_says_what_a_frame_costs_before_and_after(tmp_path: Path, own_size_frames: Path) -> None:
    torch.save(settled(ColourClasses()).state_dict(), tmp_path / "network.pt")
    given = ExportOptions(
        tmp_path / "network.pt",
        (own_size_frames,),
        tmp_path / "bundle",
        model="tests.networks:ColourClasses",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        mc_samples=8,
        only_tap=True,
        calibration=CalibrationOptions(detector="kde"),
    )
    reporter = ToldReporter()
    export_monitor(given, reporter)
    words = [stage.split(":")[0] for stage in reporter.lines]
    assert words.index("expected cost") < words.index("fitting detector and thresholds")
    assert words.index("measured cost on this CPU") > words.index("fitting detector and thresholds")
