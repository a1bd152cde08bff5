# SPDX-License-Identifier: Apache-2.0
"""A network trained on BGR gets BGR from every form, whatever the camera's order, and the gate sees where it does not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from export.bundle.input_reference import InputReference
from export.calibration.options import CalibrationOptions
from export.checkpoint.load import Checkpoint
from export.errors import ParityError, UsageError
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from export.pipeline.export_monitor import ExportOptions, export_monitor
from export.pipeline.input_contract import input_contract
from export.pipeline.network_channels import BGR_SWITCHES, ORDER_NAMES, resolve_network_channels
from lsood_runtime import OoDMonitor
from tests.export.pipeline.conftest import SIZE
from tests.networks import ColourClasses, settled

MEAN, STD = (0.46, 0.45, 0.44), (0.25, 0.24, 0.26)
ORDERS = st.sampled_from(["rgb", "bgr"])


def save_network(path: Path) -> ColourClasses:
    torch.manual_seed(3)
    network = settled(ColourClasses())
    torch.save(network.state_dict(), path)
    return network


def options(folder: Path, frames: Path, **given: Any) -> ExportOptions:
    return ExportOptions(
        folder / "network.pt",
        (frames,),
        folder / "bundle",
        model="tests.networks:ColourClasses",
        input_size=SIZE,
        mean=MEAN,
        std=STD,
        mc_samples=8,
        calibration=CalibrationOptions(detector="kde"),
        **given,
    )


def by_hand(rgb: np.ndarray[Any, np.dtype[np.uint8]], order: str) -> torch.Tensor:
    """A frame of the network's own size, as the network was trained on it: in float64 by NumPy."""
    seen = rgb if order == "rgb" else rgb[..., ::-1]
    return torch.from_numpy(((seen / 255 - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)[None]).float()


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_export_with_network_channels_bgr_gives_the_network_bgr_in_every_form(
    channels: str, tmp_path: Path, own_size_frames: Path
) -> None:
    network = save_network(tmp_path / "network.pt")
    given = options(
        tmp_path, own_size_frames, channels=channels, network_channels="bgr", fuse=True, format="torchscript"
    )
    manifest = export_monitor(given).manifest
    assert (manifest.input.channels, manifest.input.network_channels) == (channels, "bgr")
    rgb = np.array(FrameFiles((own_size_frames,))[5])
    right, wrong = (network(by_hand(rgb, order)).argmax(1)[0].numpy() for order in ("bgr", "rgb"))
    assert (right != wrong).mean() > 0.05  # the difference can be seen
    frame = np.ascontiguousarray(rgb if channels == "rgb" else rgb[..., ::-1])
    with OoDMonitor(tmp_path / "bundle") as monitor:
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != right) < 0.002
    fused = ort.InferenceSession(tmp_path / "bundle" / "monitor.onnx", providers=["CPUExecutionProvider"])
    assert np.mean(fused.run(["segmentation"], {"frame": frame[None]})[0][0] != right) < 0.002
    traced = torch.jit.load(str(tmp_path / "bundle" / "monitor.pt"))  # type: ignore[no-untyped-call]
    assert np.mean(traced(torch.from_numpy(frame[None]))[1][0].numpy() != right) < 0.002
    assert "the network takes bgr" in (tmp_path / "bundle" / "README.md").read_text()


@pytest.mark.usefixtures("own_conversions")
def test_export_whose_graph_forgets_the_networks_order_is_refused(
    tmp_path: Path, own_size_frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_network(tmp_path / "network.pt")

    def forgetful(self: Preprocessing, pixels: torch.Tensor) -> torch.Tensor:
        return pixels * self.scale + self.offset

    monkeypatch.setattr(Preprocessing, "prepare", forgetful)
    with pytest.raises(ParityError, match="disagrees with the PyTorch network"):
        export_monitor(options(tmp_path, own_size_frames, network_channels="bgr"))
    assert not (tmp_path / "bundle").exists()


@settings(max_examples=25)
@given(ORDERS, ORDERS, st.booleans(), st.integers(0, 2**32 - 1))
def test_preprocessing_and_its_reference_agree_with_numpy(
    channels: str, network_channels: str, cropped: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (1, 12, 14, 3), np.uint8)
    mean, std = rng.uniform(0, 1, 3), rng.uniform(0.1, 2, 3)
    crop = (2, 3, 6, 8) if cropped else None
    height, width = (6, 8) if cropped else (12, 14)
    preprocessing = Preprocessing(height, width, mean.tolist(), std.tolist(), channels, crop, network_channels)
    shape: Any = SimpleNamespace(shape=(12, 14, 3))
    reference = InputReference(input_contract(preprocessing, shape))
    seen = frame[:, 2:8, 3:11] if cropped else frame
    rgb = seen if channels == "rgb" else seen[..., ::-1]
    expected = (((rgb if network_channels == "rgb" else rgb[..., ::-1]) / 255 - mean) / std).transpose(0, 3, 1, 2)
    for prepare in (preprocessing, reference):
        np.testing.assert_allclose(prepare(torch.from_numpy(frame)).numpy(), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(prepare.pixels(torch.from_numpy(frame)).numpy(), rgb.transpose(0, 3, 1, 2))


def checkpoint(**hyper_parameters: object) -> Checkpoint:
    return Checkpoint(nn.Identity(), hyper_parameters, Path("x.ckpt"))


def plain(**given: Any) -> ExportOptions:
    return ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **given)


@given(st.sampled_from(ORDER_NAMES), st.sampled_from(["bgr", "BGR", "Bgr"]))
def test_resolve_network_channels_of_a_named_order_finds_it(name: str, value: str) -> None:
    found = resolve_network_channels(plain(), checkpoint(**{name: value}))
    assert (found.order, found.hyper_parameter) == ("bgr", name)
    assert resolve_network_channels(plain(network_channels="rgb"), checkpoint(**{name: value})).order == "rgb"


@pytest.mark.parametrize("switch", BGR_SWITCHES)
def test_resolve_network_channels_of_a_switch_finds_it(switch: str) -> None:
    assert resolve_network_channels(plain(), checkpoint(**{switch: True})).order == "bgr"
    assert resolve_network_channels(plain(), checkpoint(**{switch: False})).order == "rgb"


@pytest.mark.parametrize("known", [{}, {"image_format": "png"}, {"color_space": 3}, {"bgr": "perhaps"}])
def test_resolve_network_channels_of_a_checkpoint_that_says_nothing_is_rgb(known: dict[str, object]) -> None:
    found = resolve_network_channels(plain(), checkpoint(**known))
    assert (found.order, found.hyper_parameter) == ("rgb", None)


def test_resolve_network_channels_of_a_contradiction_asks_for_the_flag() -> None:
    with pytest.raises(UsageError, match="color_order rgb, bgr bgr: give --network-channels"):
        resolve_network_channels(plain(), checkpoint(color_order="RGB", bgr=True))
