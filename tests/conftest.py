# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share: a small checkpoint, frames, and the bundle made from them.

Whatever takes long to make is made once in a session, by the first worker that needs it, and must not be changed.
"""

import gc
import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before any test imports ONNX Runtime

import pytest
import pytorch_lightning as pl
import torch
from filelock import FileLock
from PIL import Image
from torch.onnx._internal.exporter._registration import ONNXRegistry

from export.calibration.options import CalibrationOptions
from export.data.synthetic import CLASSES, SyntheticRoads
from export.models import DeepLabV3PlusModule
from export.pipeline.export_monitor import ExportOptions, export_monitor
from export.sampling import sampler
from export.sampling.marked_graph import mark_network
from tests.captures import captured_once
from tests.conversions import converted_once, operators_read_once
from tests.drawn_examples import register_profiles
from tests.paths import SHARED
from tests.results_version import record_version

register_profiles()
gc.disable()  # until the tests are collected: what is imported stays

TORCH_EXPORT, FROM_TORCHLIB = torch.onnx.export, ONNXRegistry.from_torchlib
FRAME_SIZE, INPUT_SIZE = (80, 160), (64, 128)
CAMVID = SHARED / "data" / "camvid"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say in the file of results which version they are of."""
    record_version(session.config)


def pytest_collection_finish() -> None:
    """Take what the imported libraries hold out of garbage collection, which would look through it during every capture."""
    gc.freeze()
    gc.set_threshold(500_000)  # a conversion makes some millions of objects, most of which it keeps to its end
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give every test the same random numbers of torch, whatever ran before it in this worker."""
    torch.manual_seed(0)


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


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """``folder``, which ``make`` fills unless a worker has done so before."""
    done = folder.with_name(f"{folder.name}.done")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a test left that failed on the way
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that every worker of pytest-xdist sees."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def shared_conversions(shared_folder: Path) -> Iterator[None]:
    """Let the session convert each network once, and capture its own once, see :mod:`tests.conversions` and ``captures``."""
    folder = shared_folder / "conversions"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", converted_once(torch.onnx.export, folder))
        patch.setattr(ONNXRegistry, "from_torchlib", operators_read_once())
        patch.setattr(sampler, "mark_network", captured_once(mark_network))
        yield


@pytest.fixture
def own_conversions(shared_conversions: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test capture and convert by itself what other tests may have converted before."""
    monkeypatch.setattr(torch.onnx, "export", TORCH_EXPORT)
    monkeypatch.setattr(ONNXRegistry, "from_torchlib", FROM_TORCHLIB)
    monkeypatch.setattr(sampler, "mark_network", mark_network)


@pytest.fixture(scope="session")
def checkpoint(shared_folder: Path) -> Path:
    def save(folder: Path) -> None:
        folder.mkdir()
        save_checkpoint(small_network(), folder / "small.ckpt")

    return made_once(shared_folder / "checkpoint", save) / "small.ckpt"


@pytest.fixture(scope="session")
def frames(shared_folder: Path) -> Path:
    return made_once(shared_folder / "frames" / "calibration", lambda folder: write_scenes(folder, 60, seed=1))


@pytest.fixture(scope="session")
def export_small(checkpoint: Path, frames: Path, shared_folder: Path) -> Callable[..., Path]:
    """Export the small checkpoint; keyword arguments go to ExportOptions, and the bundle's folder comes back.

    The same options give the same folder, which is not to be changed; a test that gives ``out`` has a bundle of its own.
    """

    def run(**options: Any) -> Path:
        defaults: dict[str, Any] = {
            "ckpt": checkpoint,
            "frames": (frames,),
            "out": Path("monitor"),
            "mc_samples": 8,
            "calibration": CalibrationOptions(rates={"10%": 0.1}),
        }
        chosen = ExportOptions(**(defaults | options))
        if "out" in options:
            export_monitor(chosen)
            return chosen.out
        key = hashlib.sha256(repr(chosen).encode()).hexdigest()[:16]
        folder = shared_folder / "bundles" / key / "monitor"
        return made_once(folder, lambda out: export_monitor(replace(chosen, out=out)))

    return run


@pytest.fixture(scope="session")
def bundle(export_small: Callable[..., Path]) -> Path:
    return export_small()


@pytest.fixture
def signals_that_stop() -> Iterator[None]:
    """Signals are ignored where the tests themselves run in the background, or under ``nohup``, and children inherit that."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
