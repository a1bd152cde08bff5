# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share: a small checkpoint, frames, and the bundle made from them."""

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before any test imports ONNX Runtime

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from export.calibration.options import CalibrationOptions
from export.data.synthetic import CLASSES, SyntheticRoads
from export.models import DeepLabV3PlusModule
from export.pipeline.export_monitor import ExportOptions, export_monitor
from tests.paths import SHARED

FRAME_SIZE, INPUT_SIZE = (80, 160), (64, 128)
CAMVID = SHARED / "data" / "camvid"


def save_checkpoint(module: pl.LightningModule, path: Path, **hyper_parameters: Any) -> Path:
    """Write what a Trainer writes: weights and hyper-parameters; ``hyper_parameters`` replace the module's own."""
    contents = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": version("pytorch-lightning"),
        "state_dict": module.state_dict(),
        "hyper_parameters": hyper_parameters or dict(module.hparams),
    }
    torch.save(contents, path)
    return path


def small_network(**options: Any) -> DeepLabV3PlusModule:
    """A DeepLabV3+ of 0.25 MB with random weights; its tap is 4 x 8 cells."""
    torch.manual_seed(0)
    defaults: dict[str, Any] = {"width_multiplier": 0.0625, "drop_prob": 0.5, "block_size": 2, "input_size": INPUT_SIZE}
    return DeepLabV3PlusModule("resnet18", n_class=len(CLASSES), **(defaults | options))


def write_scenes(folder: Path, count: int, seed: int, size: tuple[int, int] = FRAME_SIZE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    scenes = SyntheticRoads(count, *size, seed=seed)
    for i in range(count):
        Image.fromarray(scenes[i][0]).save(folder / f"{i:04d}.png")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(small_network(), tmp_path_factory.mktemp("checkpoint") / "small.ckpt")


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("frames") / "calibration", 60, seed=1)


@pytest.fixture(scope="session")
def export_small(checkpoint: Path, frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Export the small checkpoint; keyword arguments go to ExportOptions, and the bundle's folder comes back."""

    def run(**options: Any) -> Path:
        defaults: dict[str, Any] = {
            "ckpt": checkpoint,
            "frames": (frames,),
            "out": tmp_path_factory.mktemp("export") / "monitor",
            "mc_samples": 8,
            "calibration": CalibrationOptions(rates={"10%": 0.1}),
        }
        chosen = ExportOptions(**(defaults | options))
        export_monitor(chosen)
        return chosen.out

    return run


@pytest.fixture(scope="session")
def bundle(export_small: Callable[..., Path]) -> Path:
    return export_small()
