# SPDX-License-Identifier: Apache-2.0
"""``export.export_monitor``: a network or a checkpoint, and frames in files, in memory or of a loader."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import export
from export.errors import CheckpointError, UsageError
from export.frames.files import FrameFiles
from export.functions import exporting
from export.pipeline.export_monitor import ExportOptions
from lsood_runtime import Manifest, read_manifest
from tests.networks import ColourClasses, settled

OPTIONS: dict[str, Any] = {"mc_samples": 8, "false_alarm_rate": ["10%=0.1"]}
NETWORK = settled(ColourClasses())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the export with options is called with, in place of an export."""
    got: list[tuple[Any, ...]] = []
    monkeypatch.setattr(exporting, "export_with_options", lambda *arguments: got.append(arguments))
    return got


@pytest.fixture(scope="module")
def pictures(frames: Path) -> NDArray[np.uint8]:
    return np.array(list(FrameFiles([frames])))


def measured(manifest: Manifest) -> tuple[object, ...]:
    """What does not change from one run to the next, nor with the way in which the frames were given."""
    digests = [manifest.files[name].sha256 for name in ("weights.bin", "golden.npz")]
    return digests, manifest.calibration, manifest.operating_points, manifest.masks, replace(manifest.input)


def test_bundle_from_arrays_is_that_from_files(
    checkpoint: Path, bundle: Path, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    before = pictures.copy()
    manifest = export.export_monitor(checkpoint, pictures, out=tmp_path / "monitor", **OPTIONS).manifest
    assert measured(manifest) == measured(read_manifest(bundle))
    assert manifest.config["frames"] == []
    np.testing.assert_array_equal(pictures, before)


def test_options_have_the_names_of_the_flags(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    mean, std = np.array([0.1 + 0.2, 0.4, 0.5]), (0.25, 0.25, 0.3)
    export.export_monitor(
        "runs/best.ckpt", frames=["a/", Path("b.png")], out="m", mean=mean, std=std, tap="x", fuse=True
    )
    (options, _, live), written = calls[0], tmp_path / "m"
    assert options == ExportOptions(
        Path("runs/best.ckpt"),
        frames=(Path("a"), Path("b.png")),
        out=Path("m"),
        mean=(0.1 + 0.2, 0.4, 0.5),
        std=std,
        tap=("x",),
        fuse=True,
    )
    assert (live, written.exists()) == (None, False)


def test_live_network_takes_the_place_of_a_checkpoint(calls: list[tuple[Any, ...]]) -> None:
    export.export_monitor(NETWORK, "frames/", out="m", model_arg=None, answers=["quality"])
    options, _, live = calls[0]
    assert (options.ckpt, live, options.answers.answers) == (None, NETWORK, ("quality",))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_loader_of_normalised_frames_gives_them_as_the_vehicle_does(
    order: str, calls: list[tuple[Any, ...]], pictures: NDArray[np.uint8]
) -> None:
    mean, std = torch.tensor([0.4, 0.45, 0.5]), torch.tensor([0.2, 0.25, 0.3])
    images = ((torch.from_numpy(pictures[:5]) / 255 - mean) / std).permute(0, 3, 1, 2)
    given = DataLoader(TensorDataset(images), batch_size=2)
    export.export_monitor(NETWORK, given, out="m", drives="aabbb", mean=mean, std=std, network_channels=order)
    options, _, _, held = calls[0]
    assert (options.network_channels, options.frames, options.calibration.group_by) == (order, (), "folder")
    np.testing.assert_array_equal(held[3], pictures[3] if order == "rgb" else pictures[3][..., ::-1])
    assert held.paths[3] == Path("b/frames[3]")


def drawn() -> Iterator[NDArray[np.uint8]]:
    yield np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("frames", "given", "message"),
    [
        (drawn(), {}, "a sequence of .* ones or a DataLoader as frames, got generator: make a list of it"),
        ([], {}, "expected one or more frames, got none"),
        (np.zeros((4, 8, 8, 3), np.uint8), {"group_by": "prefix"}, "got it: name the drive of each frame by drives"),
        (np.zeros((4, 8, 8, 3), np.uint8), {"labels": "labels/"}, "no labels with frames in memory, .* as files"),
        ("frames/", {"drives": ["a"]}, "expected drives with frames in memory, got them with files: give group_by"),
        ("frames/", {"ckpt": "a.ckpt"}, "expected ckpt beside the keyword arguments, got it in there"),
        (
            "frames/",
            {"mc_sample": 8},
            "options of the command line in the keyword arguments, got 'mc_sample': did you mean",
        ),
        ("frames/", {"detector": "kd"}, "invalid choice: 'kd'"),
        ("frames/", {"mc_samples": 0}, "expected --mc-samples of at least 1, got 0"),
    ],
)
def test_what_cannot_be_exported_is_refused(frames: Any, given: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        export.export_monitor(NETWORK, frames, out=tmp_path / "m", **given)
    assert not (tmp_path / "m").exists()


def test_what_is_no_network_is_refused(frames: Path, tmp_path: Path) -> None:
    nothing: Any = nn.Module
    with pytest.raises(CheckpointError, match=r"expected an nn.Module as the network, got type"):
        export.export_monitor(nothing, frames, out=tmp_path / "m")


def test_import_of_the_package_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, export; print({'torch', 'numpy', 'onnx'} & {*sys.modules}, 'export_monitor' in dir(export))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "True"]
    with pytest.raises(AttributeError, match="module 'export' has no attribute 'export_monitors'"):
        export.export_monitors  # noqa: B018
