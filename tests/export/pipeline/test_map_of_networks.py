# SPDX-License-Identifier: Apache-2.0
"""Map and confidence of networks that end otherwise: one class, probabilities, a class of nothing, a coarse output, none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from export.calibration.answer_options import AnswerOptions
from export.calibration.options import CalibrationOptions
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, export_monitor, plan_export
from lsood_runtime import OoDMonitor
from tests.networks import ColourClasses, ColourOutput, settled

ROWS, COLUMNS = 8, 16
"""A quarter of the frames' 32 x 64 pixels."""


class WithVoid(ColourClasses):
    """A fourth class, for what is void, that no pixel is of."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(super().forward(x), (0, 0, 0, 0, 0, 1), value=-40.0)


class Coarse(ColourClasses):
    """Gives its classes on cells of so many pixels."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), self.stride)


class OneVerdict(ColourClasses):
    """Gives its classes for the picture as a whole."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean(dim=(2, 3))


def options(frames: Path, out: Path, **given: Any) -> ExportOptions:
    constants: dict[str, Any] = {
        "mean": (0.46, 0.45, 0.44),
        "std": (0.5, 0.5, 0.5),
        "mc_samples": 8,
        "calibration": CalibrationOptions(detector="kde"),
        "answers": AnswerOptions(("map",)),
    }
    return ExportOptions(None, (frames,), out, **constants | given)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "grid", "given"),
    [
        (ColourOutput("logit"), (ROWS, COLUMNS), {"segmentation": "binary"}),
        (ColourOutput("sigmoid"), (ROWS, COLUMNS), {"segmentation": "binary", "network_output": "probabilities"}),
        (ColourOutput("softmax"), (ROWS, COLUMNS), {"network_output": "probabilities"}),
        (WithVoid(), (ROWS, COLUMNS), {"road_classes": (0, 3)}),
        (WithVoid(), (ROWS, COLUMNS), {"segmentation": "logits"}),
        (Coarse(8), (4, 8), {}),
    ],
    ids=["one logit", "one probability", "probabilities", "void", "logits", "coarse"],
)
def test_export_with_a_map_of_a_network_of_another_output_gives_a_finite_map_alone_and_in_a_batch(
    network: nn.Module, grid: tuple[int, int], given: dict[str, Any], own_size_frames: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    (labels := tmp_path / "labels").mkdir()
    for path in own_size_frames.iterdir():
        with Image.open(path) as image:
            Image.fromarray((np.asarray(image.convert("L")) > 128).astype(np.uint8)).save(labels / f"{path.stem}.png")
    answers = AnswerOptions(("map",), labels=(labels,), road_classes=given.pop("road_classes", ()))
    export_monitor(options(own_size_frames, tmp_path / "m", answers=answers, **given), network=settled(network))
    frames = [np.array(frame) for frame in list(FrameFiles((own_size_frames,)))[::12]]
    with OoDMonitor(tmp_path / "m") as monitor:
        assert monitor.self_test().passed
        for together, frame in zip(monitor.assess_batch(frames), frames, strict=True):
            alone = monitor.assess(frame)
            assert alone.anomaly_map is not None
            assert alone.anomaly_map.shape == grid
            assert float(alone.anomaly_map.std()) > 0
            np.testing.assert_array_equal(together.anomaly_map, alone.anomaly_map)
            assert together.objects == alone.objects
            assert alone.class_confidence is not None
            assert 0.3 < alone.class_confidence.max() <= 1
            np.testing.assert_array_equal(together.class_confidence, alone.class_confidence)


@pytest.mark.slow
def test_export_with_a_map_of_a_network_of_stride_32_gives_one_of_that_stride(
    own_size_frames: Path, tmp_path: Path
) -> None:
    (large := tmp_path / "large").mkdir()
    for path in sorted(own_size_frames.iterdir()):
        with Image.open(path) as image:
            image.resize((4 * image.width, 4 * image.height), Image.Resampling.NEAREST).save(large / path.name)
    export_monitor(options(large, tmp_path / "m"), network=settled(Coarse(32)))
    frame = np.array(FrameFiles((large,))[0])
    with OoDMonitor(tmp_path / "m") as monitor:
        assert monitor.self_test().passed
        verdict = monitor.assess(frame)
        assert verdict.anomaly_map is not None
        assert verdict.anomaly_map.shape == (frame.shape[0] // 32, frame.shape[1] // 32) == (4, 8)
        assert float(verdict.anomaly_map.std()) > 0
        assert verdict.object_words


def test_plan_of_a_map_of_an_output_of_stride_32_of_small_frames_is_refused_with_the_reason(
    own_size_frames: Path, tmp_path: Path
) -> None:
    plan = plan_export(options(own_size_frames, tmp_path / "m"), network=settled(Coarse(32)))
    (problem,) = plan.problems
    assert str(problem).startswith(
        "expected an output of 4 or more rows and columns for --answers map, got 1 x 2: an object would have no place in it"
    )


def test_plan_of_a_map_of_a_network_without_spatial_logits_is_refused_with_the_reason(
    own_size_frames: Path, tmp_path: Path
) -> None:
    plan = plan_export(options(own_size_frames, tmp_path / "m"), network=settled(OneVerdict()))
    assert str(plan.problems[0]).startswith(
        "expected a network that returns one (B, K, h, w) tensor of logits, got (1, 3): "
    )
