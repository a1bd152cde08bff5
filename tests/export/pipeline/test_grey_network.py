# SPDX-License-Identifier: Apache-2.0
"""A network that takes the brightness alone gets it from colour and from grey cameras, in every form."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from export.bundle.input_reference import InputReference
from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import run_once
from export.cli.export import main
from export.errors import ConversionError, UsageError
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from export.pipeline.hyper_parameters import CHANNEL_NAMES
from export.pipeline.input_contract import input_contract
from export.pipeline.network_channels import ORDER_NAMES, resolve_network_channels
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from lsood_runtime import OoDMonitor, read_manifest
from tests.networks import NoDropout, block, settled

MEAN, STD = 0.46, 0.25
ROUNDING = 1e-4
SHARES = np.array([0.299, 0.587, 0.114])
FRAMES: Any = SimpleNamespace(shape=(32, 64, 3))
TAP = ["--tap", "encoder", "--drop-prob", "0.3", "--block-size", "2", "--mc-samples", "8"]


class OneChannel(NoDropout):
    """Takes the brightness alone."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.encoder = nn.Sequential(block(in_channels, 6, stride=2), block(6, 8, stride=2))


def by_hand(rgb: NDArray[np.uint8]) -> torch.Tensor:
    """The input that the network was trained on, in float64 by NumPy."""
    return torch.from_numpy(((rgb @ SHARES / 255) - MEAN) / STD)[None, None].float()


def logits(network: nn.Module, images: torch.Tensor) -> NDArray[np.float32]:
    found: torch.Tensor = network(images)
    return found.detach()[0].numpy()


def checkpoint(network: nn.Module, **known: object) -> Checkpoint:
    return Checkpoint(network.eval(), dict(known), Path("x.ckpt"))


def resolve(network: nn.Module, given: dict[str, Any] | None = None, **known: object) -> Preprocessing:
    options = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"), **(given or {}))
    return resolve_preprocessing(options, checkpoint(network, **known), FRAMES)


@settings(max_examples=25)
@given(
    st.sampled_from(["rgb", "bgr"]),
    st.booleans(),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.integers(0, 2**32 - 1),
)
def test_preprocessing_and_its_reference_of_one_channel_agree_with_numpy(
    channels: str, cropped: bool, pad: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (2, 12, 14, 3), np.uint8)
    mean, std = float(rng.uniform(0, 1)), float(rng.uniform(0.1, 2))
    crop, size = ((2, 3, 6, 8), (6, 8)) if cropped else (None, (12, 14))
    preprocessing = Preprocessing(*size, [mean], [std], channels, crop, "grey", pad)
    reference = InputReference(input_contract(preprocessing, SimpleNamespace(shape=(12, 14, 3))))  # type: ignore[arg-type]
    seen = frame[:, 2:8, 3:11] if cropped else frame
    rgb = seen if channels == "rgb" else seen[..., ::-1]
    expected = np.pad(((rgb @ SHARES) / 255 - mean) / std, ((0, 0), (0, pad[0]), (0, pad[1])))[:, None]
    for prepare in (preprocessing, reference):
        np.testing.assert_allclose(prepare(torch.from_numpy(frame)).numpy(), expected, rtol=1e-5, atol=1e-5)
        # the picture's own features stay those of the colours
        np.testing.assert_array_equal(prepare.pixels(torch.from_numpy(frame)).numpy(), rgb.transpose(0, 3, 1, 2))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_preprocessing_of_a_grey_cameras_frame_is_that_of_its_one_channel(seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (12, 14), np.uint8)
    repeated = torch.from_numpy(np.repeat(grey[None, ..., None], 3, axis=-1))
    got = Preprocessing(12, 14, [MEAN], [STD], network_channels="grey")(repeated)[0, 0].numpy()
    np.testing.assert_allclose(got, (grey / 255 - MEAN) / STD, rtol=1e-5, atol=1e-5)


def test_export_of_a_network_of_one_channel_takes_colour_and_grey_frames_in_every_form(
    tmp_path: Path, own_size_frames: Path
) -> None:
    torch.manual_seed(3)
    network = settled(OneChannel())
    torch.save(network.state_dict(), tmp_path / "network.pt")
    where = ["--ckpt", tmp_path / "network.pt", "--frames", own_size_frames, "--out", tmp_path / "bundle"]
    constants = ["--mean", *[str(MEAN)] * 3, "--std", *[str(STD)] * 3]
    forms = ["--segmentation", "logits", "--fuse", "--format", "torchscript", "--channels", "bgr"]
    assert main([*map(str, where), "--model", f"{__name__}:OneChannel", *TAP, *constants, *forms]) == 0
    contract = read_manifest(tmp_path / "bundle").input
    assert (contract.network_channels, contract.mean, contract.std, contract.channels) == (
        "grey",
        (MEAN,),
        (STD,),
        "bgr",
    )
    assert "the network takes grey" in (tmp_path / "bundle" / "README.md").read_text()
    rgb = np.array(FrameFiles((own_size_frames,))[5])
    right, turned = (logits(network, by_hand(each)) for each in (rgb, rgb[..., ::-1]))
    assert np.abs(right - turned).max() > 10 * ROUNDING  # the camera's order can be seen
    frame = np.ascontiguousarray(rgb[..., ::-1])
    with OoDMonitor(tmp_path / "bundle") as monitor:
        np.testing.assert_allclose(np.asarray(monitor.assess(frame).segmentation), right, atol=ROUNDING)
    fused = ort.InferenceSession(tmp_path / "bundle" / "monitor.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(fused.run(["segmentation"], {"frame": frame[None]})[0][0], right, atol=ROUNDING)
    traced = torch.jit.load(str(tmp_path / "bundle" / "monitor.pt"))  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(traced(torch.from_numpy(frame[None]))[1][0].numpy(), right, atol=ROUNDING)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    expected = logits(network, torch.from_numpy((grey / 255 - MEAN) / STD)[None, None].float())
    with OoDMonitor(tmp_path / "bundle", channels="grey") as monitor:
        for each in (grey, grey[..., None]):
            np.testing.assert_allclose(np.asarray(monitor.assess(each).segmentation), expected, atol=ROUNDING)


@pytest.mark.parametrize("name", CHANNEL_NAMES)
def test_resolve_network_channels_of_a_number_of_channels_is_grey_for_one(name: str) -> None:
    plain = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"))
    found = resolve_network_channels(plain, checkpoint(nn.Identity(), model={name: 1}))
    assert (found.order, found.count, found.source) == ("grey", 1, f"the checkpoint's model.{name} of 1")
    assert resolve_network_channels(plain, checkpoint(OneChannel(), model={name: 3})).order == "rgb"


@pytest.mark.parametrize("value", ["gray", "GREY", "grayscale", "Greyscale"])
def test_resolve_network_channels_of_a_named_grey_finds_it(value: str) -> None:
    plain = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"))
    assert resolve_network_channels(plain, checkpoint(nn.Identity(), **{ORDER_NAMES[1]: value})).order == "grey"


def test_resolve_network_channels_of_a_first_convolution_of_one_channel_is_grey() -> None:
    plain = ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("out"))
    found = resolve_network_channels(plain, checkpoint(OneChannel()))
    assert (found.order, found.source) == ("grey", "its first convolution, which takes one channel")
    assert resolve_network_channels(plain, checkpoint(NoDropout())).order == "rgb"


def test_resolve_preprocessing_of_one_channel_takes_one_number() -> None:
    flags = {"mean": (0.4,) * 3, "std": (0.2,) * 3}
    assert resolve(OneChannel(), flags).mean == (0.4,)
    found = resolve(OneChannel(), mean=0.3, std=[0.1])
    assert (found.mean, found.std) == ((0.3,), (0.1,))
    with pytest.raises(UsageError, match="expected one number three times in --mean and --std"):
        resolve(OneChannel(), flags | {"mean": (0.4, 0.4, 0.5)})
    with pytest.raises(UsageError, match="expected --mean and --std"):  # three numbers are of another network
        resolve(OneChannel(), mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])


@pytest.mark.parametrize(("takes", "gets", "flag"), [(1, 3, "grey"), (3, 1, "rgb")])
def test_run_once_of_another_number_of_channels_names_the_flag(takes: int, gets: int, flag: str) -> None:
    with pytest.raises(ConversionError, match=f"give --network-channels {flag}") as caught:
        run_once(OneChannel(takes).eval(), torch.rand(1, gets, 32, 64))
    assert caught.value.words == ("--network-channels", flag)
    run_once(OneChannel(takes).eval(), torch.rand(1, takes, 32, 64))


def test_export_of_a_network_of_four_channels_is_refused_with_its_reason(
    tmp_path: Path, own_size_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(OneChannel(4).state_dict(), tmp_path / "network.pt")
    where = ["--ckpt", tmp_path / "network.pt", "--frames", own_size_frames, "--out", tmp_path / "bundle"]
    model = ["--model", f"{__name__}:OneChannel", "--model-arg", "in_channels=4", *TAP]
    constants = ["--mean", *[str(MEAN)] * 3, "--std", *[str(STD)] * 3]
    assert main([*map(str, where), *model, *constants]) == ConversionError.exit_code
    said = " ".join(capsys.readouterr().err.split())
    assert "frames of 4 channels are not supported" in said
    assert not (tmp_path / "bundle").exists()


def test_list_layers_of_a_network_of_one_channel_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(OneChannel().state_dict(), tmp_path / "network.pt")
    model = ["--model", f"{__name__}:OneChannel", "--input-size", "32", "64"]
    assert main(["--list-layers", "--ckpt", str(tmp_path / "network.pt"), *model]) == 0
    assert "1 x 8 x 8 x 16" in capsys.readouterr().out
