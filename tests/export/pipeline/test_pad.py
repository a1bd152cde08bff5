# SPDX-License-Identifier: Apache-2.0
"""Rows and columns that are added for a network are of the mean, and neither the class map nor a feature of it shows them."""

import json
import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from export.bundle.input_reference import InputReference
from export.checkpoint.probe import run_once
from export.cli.export import main
from export.errors import ConversionError, ParityError, UsageError
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from export.option_table import with_words
from export.pipeline.input_contract import input_contract
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import made_once, write_scenes
from tests.networks import DropoutUNet, NoDropout, settled

MEAN, STD = (0.46, 0.45, 0.44), (0.25, 0.24, 0.26)
CONSTANTS = ["--mean", *map(str, MEAN), "--std", *map(str, STD), "--mc-samples", "8"]
SIZE = (38, 74)
"""Of frames that a U-Net of two levels does not take."""


@pytest.fixture(scope="session")
def odd_frames(shared_folder: Path) -> Path:
    return made_once(shared_folder / "frames" / "odd", lambda folder: write_scenes(folder, 60, seed=4, size=SIZE))


def save_network(folder: Path, network: nn.Module) -> nn.Module:
    torch.manual_seed(5)
    network = settled(network)
    torch.save(network.state_dict(), folder / "network.pt")
    return network


def words(folder: Path, frames: Path, model: str, *more: str) -> list[str]:
    where = ["--ckpt", folder / "network.pt", "--frames", frames, "--out", folder / "bundle", "--model", model]
    return [*map(str, where), *CONSTANTS, *more]


def padded_by_numpy(frame: np.ndarray[Any, np.dtype[np.uint8]], multiple: int) -> Tensor:
    """A frame as the network's own loader would pad it, in float64 by NumPy."""
    bottom, right = (-length % multiple for length in frame.shape[:2])
    normalised = (frame / 255 - np.array(MEAN)) / np.array(STD)
    padded = np.pad(normalised, ((0, bottom), (0, right), (0, 0)))
    return torch.from_numpy(padded.transpose(2, 0, 1)[None]).float()


@settings(max_examples=30)
@given(
    st.tuples(st.integers(4, 40), st.integers(4, 40)),
    st.tuples(st.integers(0, 40), st.integers(0, 40)),
    st.booleans(),
    st.sampled_from(["rgb", "bgr"]),
    st.integers(0, 2**32 - 1),
)
def test_preprocessing_and_its_reference_pad_as_numpy_does(
    size: tuple[int, int], pad: tuple[int, int], cropped: bool, order: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    crop = (2, 3, *size) if cropped else None
    shape = (size[0] + 5, size[1] + 4) if cropped else size
    frame = rng.integers(0, 256, (1, *shape, 3), np.uint8)
    preprocessing = Preprocessing(*size, MEAN, STD, "rgb", crop, order, pad)
    seen = frame[:, 2 : 2 + size[0], 3 : 3 + size[1]] if cropped else frame
    turned = seen if order == "rgb" else seen[..., ::-1]
    expected = np.pad((turned / 255 - np.array(MEAN)) / np.array(STD), ((0, 0), (0, pad[0]), (0, pad[1]), (0, 0)))
    reference = InputReference(input_contract(preprocessing, SimpleNamespace(shape=(*shape, 3))))  # type: ignore[arg-type]
    assert reference.contract.pad == pad
    for prepare in (preprocessing, reference):
        got = prepare(torch.from_numpy(frame)).numpy()
        np.testing.assert_allclose(got, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)
        # what picture features are computed from is the frame without padding
        assert prepare.pixels(torch.from_numpy(frame)).shape == (1, 3, *size)


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.tuples(st.integers(1, 130), st.integers(1, 130)),
)
def test_preprocessing_and_its_reference_keep_the_cells_that_begin_within_the_frame(
    size: tuple[int, int], pad: tuple[int, int], cells: tuple[int, int]
) -> None:
    preprocessing = Preprocessing(*size, MEAN, STD, pad=pad)
    reference = InputReference(input_contract(preprocessing, SimpleNamespace(shape=(*size, 3))))  # type: ignore[arg-type]
    output = torch.arange(cells[0] * cells[1], dtype=torch.float32).view(1, 1, *cells)
    kept = [
        [i for i in range(count) if Fraction(i, count) * (length + added) < length]
        for count, length, added in zip(cells, size, pad, strict=True)
    ]
    expected = output[:, :, kept[0]][..., kept[1]]
    for each in (preprocessing, reference):
        torch.testing.assert_close(each.of_frame(output), expected, rtol=0, atol=0)


def test_export_with_pad_segments_the_frame_as_the_padded_network_does_in_every_form(
    tmp_path: Path, odd_frames: Path
) -> None:
    network = save_network(tmp_path, DropoutUNet())
    flags = words(
        tmp_path, odd_frames, "tests.networks:DropoutUNet", "--tap", "drop3", "--fuse", "--format", "torchscript"
    )
    assert main([*flags, "--pad", "8"]) == 0
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.input.pad == (2, 6)
    assert (manifest.input.network_height, manifest.input.network_width) == SIZE
    assert (manifest.segmentation.height, manifest.segmentation.width) == SIZE
    assert "padded by 2 rows and 6 columns" in (tmp_path / "bundle" / "README.md").read_text()
    frame = np.array(FrameFiles((odd_frames,))[5])
    right = network(padded_by_numpy(frame, 8)).argmax(1)[0].numpy()[: SIZE[0], : SIZE[1]]
    with OoDMonitor(tmp_path / "bundle") as monitor:
        seen = np.asarray(monitor.assess(frame).segmentation)
    assert seen.shape == SIZE
    assert np.mean(seen != right) < 0.002
    fused = ort.InferenceSession(tmp_path / "bundle" / "monitor.onnx", providers=["CPUExecutionProvider"])
    assert np.mean(fused.run(["segmentation"], {"frame": frame[None]})[0][0] != right) < 0.002
    traced = torch.jit.load(str(tmp_path / "bundle" / "monitor.pt"))  # type: ignore[no-untyped-call]
    assert np.mean(traced(torch.from_numpy(frame[None]))[1][0].numpy() != right) < 0.002


class Coarse(NoDropout):
    """Gives logits at a quarter of its input's size, as SegFormer does, and takes multiples of 32 alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] % 32 or x.shape[-1] % 32:
            raise RuntimeError(f"wrong input shape {tuple(x.shape[-2:])}: pad your images to a multiple of 32")
        logits: Tensor = self.head(self.encoder(x))
        return logits


def test_export_of_a_coarse_network_names_the_pad_and_with_it_covers_the_frame(
    tmp_path: Path, odd_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = save_network(tmp_path, Coarse())
    masks = ["--tap", "encoder", "--drop-prob", "0.3", "--block-size", "2", "--segmentation", "logits"]
    flags = words(tmp_path, odd_frames, f"{__name__}:Coarse", *masks)
    assert main(flags) == ConversionError.exit_code
    assert "it runs with --pad 32" in " ".join(capsys.readouterr().err.split())
    assert main([*flags, "--pad", "32"]) == 0
    frame = np.array(FrameFiles((odd_frames,))[5])
    right = network(padded_by_numpy(frame, 32)).detach().numpy()[0, :, :10, :19]  # 9.5 and 18.5 cells, rounded up
    with OoDMonitor(tmp_path / "bundle") as monitor:
        np.testing.assert_allclose(np.asarray(monitor.assess(frame).segmentation), right, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("own_conversions")
def test_export_whose_graph_pads_otherwise_is_refused(
    tmp_path: Path,
    odd_frames: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_network(tmp_path, DropoutUNet())

    def otherwise(self: Preprocessing, pixels: Tensor) -> Tensor:
        bottom, right = self.pad
        images = pixels * self.scale + self.offset
        return F.pad(images, (0, right, 0, bottom), value=1.0)

    monkeypatch.setattr(Preprocessing, "prepare", otherwise)
    flags = words(tmp_path, odd_frames, "tests.networks:DropoutUNet", "--tap", "drop3")
    assert main([*flags, "--pad", "8"]) == ParityError.exit_code
    assert "disagrees with the PyTorch network" in " ".join(capsys.readouterr().err.split())


@settings(max_examples=20)
@given(st.integers(20, 70), st.integers(20, 70))
def test_run_once_of_a_size_that_is_no_multiple_names_one_that_runs(height: int, width: int) -> None:
    assume(height % 4 or width % 4)
    network, example = DropoutUNet().eval(), torch.rand(1, 3, height, width)
    with pytest.raises(ConversionError, match="it runs with --pad") as caught:
        run_once(network, example)
    flag, multiple = caught.value.words
    assert flag == "--pad"
    assert f"--pad {multiple}," in str(caught.value)
    bottom, right = -height % int(multiple), -width % int(multiple)
    run_once(network, F.pad(example, (0, right, 0, bottom)))


def test_run_once_of_a_network_that_no_padding_helps_names_none() -> None:
    with pytest.raises(ConversionError, match="check --input-size") as caught:
        run_once(nn.Conv2d(4, 2, 1), torch.rand(1, 3, 9, 11))
    assert caught.value.words == ()


def test_list_layers_with_pad_runs_the_padded_input(
    tmp_path: Path, odd_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(tmp_path, Coarse())
    flags = ["--list-layers", "--ckpt", str(tmp_path / "network.pt"), "--model", f"{__name__}:Coarse"]
    assert main([*flags, "--frames", str(odd_frames), "--pad", "32"]) == 0
    assert "1 x 8 x 16 x 24" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("multiple", "refused"),
    [
        ("0", "expected --pad of at least 1, got 0"),
        ("-4", "expected --pad of at least 1, got -4"),
        ("1025", "expected --pad of at most 1024, got 1025"),
    ],
)
def test_export_with_pad_out_of_range_is_refused(
    multiple: str, refused: str, tmp_path: Path, odd_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(tmp_path, DropoutUNet())
    flags = words(tmp_path, odd_frames, "tests.networks:DropoutUNet", "--pad", multiple)
    assert main(flags) == UsageError.exit_code
    assert refused in " ".join(capsys.readouterr().err.split())


def test_preprocessing_with_a_pad_below_zero_is_refused() -> None:
    for pad in ((-1, 0), (1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="expected rows and columns to add"):
            Preprocessing(4, 4, MEAN, STD, pad=pad)


def test_manifest_of_a_bundle_without_pad_has_none(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    text = json.loads(manifest.to_json())
    assert text["input"].pop("pad") == [0, 0]
    assert type(manifest).from_json(json.dumps(text)).input.pad == (0, 0)


class PadsItself(nn.Module):
    """A U-Net that pads its input to a multiple of 32 itself, and returns the map of that."""

    def __init__(self) -> None:
        super().__init__()
        self.net = DropoutUNet()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(F.pad(x, (0, -x.shape[3] % 32, 0, -x.shape[2] % 32)))
        return y


def test_dry_run_of_a_network_that_pads_itself_completes_the_command_with_padding_that_gives_the_frames_own_map(
    tmp_path: Path, odd_frames: Path
) -> None:
    save_network(tmp_path, PadsItself())
    options = ExportOptions(
        tmp_path / "network.pt",
        (odd_frames,),
        tmp_path / "bundle",
        model=f"{__name__}:PadsItself",
        mean=MEAN,
        std=STD,
        tap=("net.drop3",),
    )
    plan = plan_export(options)
    assert isinstance(plan.error, ConversionError)
    assert re.search(r"expected a map of the input's size, 38 x 74.*got 64 x 96: .*give --pad 32,", str(plan.error))
    assert plan.is_complete
    assert plan.command is not None
    inputs, _ = plan_export(with_words(options, plan.command[plan.command.index("--pad") :][:2])).ready()
    assert inputs.logits_shape is not None
    assert inputs.logits_shape[1:] == SIZE
