# SPDX-License-Identifier: Apache-2.0
"""Mean, deviation and size come from the first source that states them; each other that contradicts it is named."""

import json
import re
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.checkpoint.load import Checkpoint
from export.checkpoint.other_methods import with_method
from export.cli.export import main
from export.errors import UsageError
from export.findings import Finding
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from lsood_runtime import OoDMonitor, read_manifest
from tests.export.pipeline.told_reporter import ToldReporter
from tests.networks import NoDropout, settled

FRAMES: Any = SimpleNamespace(shape=(80, 160, 3))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SOURCES = ("hyper-parameters", "file", "kept", "timm", "torchvision")
"""In the order in which they are asked."""


class Backbone(nn.Conv2d):
    """A part with timm's settings of its weights."""

    def __init__(self, mean: float) -> None:
        super().__init__(3, 4, 1)
        self.default_cfg = {"mean": (mean,) * 3, "std": (0.2,) * 3, "input_size": (3, 224, 224), "crop_pct": 0.9}


class Keeper(nn.Module):
    """Keeps constants; divides by them in forward where ``reads`` says so."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float | None = None, timm: float | None = None, reads: bool = False) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 1) if timm is None else Backbone(timm)
        self.reads = reads
        if mean is not None:
            self.register_buffer("mean", torch.full((1, 3, 1, 1), mean))
            self.register_buffer("std", torch.full((1, 3, 1, 1), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.encoder((x - self.mean) / self.std if self.reads else x)
        return out


class WeightsEnum(Enum):
    """As torchvision's: a member knows its transforms."""

    @property
    def transforms(self) -> Callable[[], SimpleNamespace]:
        return lambda: SimpleNamespace(mean=[self.value] * 3, std=[0.2] * 3, resize_size=[520])


def weights_of(**members: float) -> Any:
    """An enumeration of weights; each member is the mean of its frames."""
    make: Any = WeightsEnum
    return make("Net_Weights", members)


def resolve(
    checkpoint: Checkpoint, reporter: ToldReporter | None = None, frames: Any = FRAMES, **given: Any
) -> Preprocessing:
    options = ExportOptions(checkpoint.path, (Path("frames"),), Path("out"), **given)
    return resolve_preprocessing(options, checkpoint, frames, reporter or ToldReporter())


def pasted(message: str) -> dict[str, Any]:
    """The flags that a message tells to give."""
    number = r"[\d.e+-]+"
    found = re.search(rf"--mean ({number} {number} {number}) --std ({number} {number} {number})", message)
    assert found is not None, message
    return {name: tuple(map(float, found[i].split())) for i, name in ((1, "mean"), (2, "std"))}


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(SOURCES), st.sampled_from([0.3, 0.4, 0.5]), min_size=1))
def test_resolve_preprocessing_takes_the_first_source_and_names_what_contradicts_it(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, float]
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    known: dict[str, object] = {}
    if (value := values.get("hyper-parameters")) is not None:
        known |= {"data": {"normalize": {"mean": value, "std": 0.2}}}
    if (value := values.get("torchvision")) is not None:
        known |= {"weights": weights_of(V1=value)["V1"]}
    if (value := values.get("file")) is not None:
        settings_ = {"image_mean": [value] * 3, "image_std": [0.2] * 3, "rescale_factor": 1 / 255}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings_))
    network = Keeper(values.get("kept"), values.get("timm"))
    reporter = ToldReporter()
    found = resolve(Checkpoint(network.eval(), known, folder / "x.ckpt"), reporter)
    first, *others = (name for name in SOURCES if name in values)
    assert found.mean == pytest.approx((values[first],) * 3)
    assert found.std == pytest.approx((0.2,) * 3)
    words = {
        "hyper-parameters": "the checkpoint's data.normalize.mean and data.normalize.std",
        "file": "preprocessor_config.json beside the checkpoint",
        "kept": "mean and std, which the network keeps and does not read",
        "timm": "timm's encoder.default_cfg",
        "torchvision": "the transforms of torchvision's Net_Weights.V1",
    }
    number = f"{values[first]:g}"
    finding = reporter.findings["mean and deviation"]
    assert finding.value == f"{number} {number} {number}, 0.2 0.2 0.2"
    assert (finding.reason, finding.origin) == (f"by {words[first]}", "found" if first in SOURCES[:3] else "guessed")
    assert pasted(" ".join(finding.words)) == {"mean": (values[first],) * 3, "std": (0.2,) * 3}
    expected = [f"warning: {words[name]}" for name in others if values[name] != values[first]]
    assert [line.partition(" has mean")[0] for line in reporter.lines] == expected
    given_flags = resolve(Checkpoint(network.eval(), known, folder / "x.ckpt"), mean=(0.1,) * 3, std=(1.0,) * 3)
    assert (given_flags.mean, given_flags.std) == ((0.1,) * 3, (1.0,) * 3)
    one_flag = resolve(Checkpoint(network.eval(), known, folder / "x.ckpt"), std=(1.0,) * 3)
    assert (one_flag.mean, one_flag.std) == (found.mean, (1.0,) * 3)


def test_resolve_preprocessing_of_a_network_called_by_a_method_finds_timms_settings_of_the_whole_network() -> None:
    network = with_method(Backbone(0.4).eval(), "forward")
    reporter = ToldReporter()
    assert resolve(Checkpoint(network, {}, Path("x.ckpt")), reporter).mean == pytest.approx((0.4,) * 3)
    assert reporter.findings["mean and deviation"].reason == "by timm's default_cfg"


@pytest.mark.parametrize("form", ["a name", "a name within its module"])
def test_resolve_preprocessing_of_torchvisions_weights_by_name_finds_them(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ModuleType("torchvision.models")
    weights = weights_of(V1=0.4, DEFAULT=0.4)
    if form == "a name":
        library.Net_Weights = weights  # type: ignore[attr-defined]
    else:
        library.segmentation = SimpleNamespace(Net_Weights=weights)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision.models", library)
    name = "Net_Weights.DEFAULT" if form == "a name" else "torchvision.models.segmentation.Net_Weights.V1"
    found = resolve(Checkpoint(nn.Identity(), {"weights": name}, Path("x.ckpt")))
    assert found.mean == (0.4,) * 3
    for unknown in ("Net_Weights.V7", "Other_Weights.V1", "IMAGENET1K_V1", "my.pt"):
        with pytest.raises(UsageError, match="--mean and --std"):
            resolve(Checkpoint(nn.Identity(), {"weights": unknown}, Path("x.ckpt")))


@pytest.mark.parametrize("package", ["torchvision", "timm", "segmentation_models_pytorch", "transformers"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_resolve_preprocessing_that_finds_nothing_suggests_what_the_library_uses(package: str, order: str) -> None:
    part = type("Block", (nn.Identity,), {"__module__": f"{package}.models.x"})()
    checkpoint = Checkpoint(nn.Sequential(part), {}, Path("x.ckpt"))
    with pytest.raises(UsageError, match=f"published weights of {package}") as caught:
        resolve(checkpoint, network_channels=order)
    given_flags = pasted(str(caught.value))
    assert given_flags == pasted(" ".join(caught.value.words))
    turned = -1 if order == "bgr" else 1
    assert given_flags == {"mean": IMAGENET[0][::turned], "std": IMAGENET[1][::turned]}
    assert resolve(checkpoint, network_channels=order, **given_flags).mean == given_flags["mean"]
    with pytest.raises(UsageError) as plain:
        resolve(Checkpoint(nn.Identity(), {}, Path("x.ckpt")))
    assert "published weights" not in str(plain.value)
    assert plain.value.words == ("--mean", *["VALUE"] * 3, "--std", *["VALUE"] * 3)


def test_resolve_preprocessing_that_finds_nothing_names_the_outermost_library() -> None:
    block = type("Block", (nn.Identity,), {"__module__": "torchvision.models.resnet"})()
    network = type("Unet", (nn.Sequential,), {"__module__": "segmentation_models_pytorch.x"})(block)
    with pytest.raises(UsageError, match="published weights of segmentation_models_pytorch, of which"):
        resolve(Checkpoint(network, {}, Path("x.ckpt")))


def test_resolve_preprocessing_of_a_network_that_normalises_itself_leaves_its_input_alone() -> None:
    checkpoint = Checkpoint(Keeper(0.4, reads=True).eval(), {"mean": 0.4, "std": 0.2}, Path("x.ckpt"))
    reporter = ToldReporter()
    found = resolve(checkpoint, reporter)
    assert (found.mean, found.std) == ((0.0,) * 3, (1.0,) * 3)
    finding = reporter.findings["mean and deviation"]
    assert (finding.reason, finding.origin) == (
        "by the network, which normalises its input itself (mean and std)",
        "found",
    )
    assert not [line for line in reporter.lines if line.startswith("warning")]
    levels = resolve(checkpoint, **pasted(reporter.lines[0]))  # for a training that handed over 0 to 255
    assert levels(torch.full((1, 80, 160, 3), 51, dtype=torch.uint8)).unique() == pytest.approx([51.0], rel=1e-5)


def test_resolve_preprocessing_of_one_that_normalises_itself_warns_of_flags_that_do_so_again() -> None:
    checkpoint = Checkpoint(Keeper(0.4, reads=True).eval(), {}, Path("x.ckpt"))
    reporter = ToldReporter()
    assert resolve(checkpoint, reporter, mean=(0.4,) * 3, std=(0.2,) * 3).mean == (0.4,) * 3
    (warning,) = reporter.lines
    assert warning.startswith("warning: the network normalises its input itself (mean and std), which makes it twice")
    silent = ToldReporter()
    resolve(checkpoint, silent, **pasted(warning))
    assert silent.lines == []


def test_resolve_preprocessing_of_one_that_normalises_itself_by_others_constants_warns() -> None:
    checkpoint = Checkpoint(Keeper(0.4, reads=True).eval(), {"mean": 0.3, "std": 0.2}, Path("x.ckpt"))
    reporter = ToldReporter()
    resolve(checkpoint, reporter)
    assert reporter.lines[-1].startswith("warning: the checkpoint's mean and std has mean 0.3")


def test_resolve_preprocessing_of_a_file_beside_the_checkpoint_takes_size_and_order(tmp_path: Path) -> None:
    contents = {"do_flip_channel_order": True, "do_resize": True, "size": {"shortest_edge": 40}, "resample": 2}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(contents))
    reporter = ToldReporter()
    found = resolve(Checkpoint(nn.Identity(), {}, tmp_path / "x.ckpt"), reporter)
    assert (found.height, found.width, found.network_channels) == (40, 80, "bgr")
    by_file = "by preprocessor_config.json beside the checkpoint"
    assert reporter.findings["input size"] == Finding(
        "input size", "40 x 80 (height x width)", "found", by_file, ("--input-size", "40", "80")
    )
    smaller = (
        "preprocessor_config.json beside the checkpoint makes frames of 80 x 160 (height x width) smaller, 40 x 80"
    )
    assert reporter.lines == [
        f"the network takes BGR, {by_file}",
        f"warning: {smaller}: --input-size 80 160 leaves them as they are",
    ]
    first = ToldReporter()
    known = {"data": {"img_size": [20, 40]}, "mean": 0.5, "std": 0.5}
    assert resolve(Checkpoint(nn.Identity(), known, tmp_path / "x.ckpt"), first).height == 20
    assert first.findings["input size"].reason == "by the checkpoint's data.img_size"
    assert first.lines[1].startswith(
        "warning: preprocessor_config.json beside the checkpoint says 40 x 80 (height x width)"
    )


def test_resolve_preprocessing_of_mmlabs_configuration_is_divided_and_turned() -> None:
    norm = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_rgb": False}
    found = resolve(Checkpoint(nn.Identity(), {"img_norm_cfg": norm}, Path("x.ckpt")))
    assert found.network_channels == "bgr"
    assert found.mean == pytest.approx(IMAGENET[0], abs=1e-6)
    assert found.std == pytest.approx(IMAGENET[1], abs=1e-6)


def test_resolve_preprocessing_of_a_trainings_crop_takes_the_frame_and_says_so() -> None:
    reporter = ToldReporter()
    found = resolve(Checkpoint(nn.Identity(), {"crop_size": 32, "mean": 0.5, "std": 0.5}, Path("x.ckpt")), reporter)
    assert (found.height, found.width) == (80, 160)
    assert "the checkpoint's crop_size is not taken" in reporter.lines[0]


class NormInside(NoDropout):
    """Normalises its input itself, as modules around segmentation-models-pytorch do."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET[0]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET[1]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - self.mean) / self.std)


def test_export_of_a_network_that_normalises_itself_segments_as_the_network_does(
    tmp_path: Path, own_size_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(2)
    network = settled(NormInside())
    torch.save(network.state_dict(), tmp_path / "network.pt")
    flags = ["--model", f"{__name__}:NormInside", "--tap", "encoder", "--drop-prob", "0.3", "--block-size", "2"]
    where = [
        "--ckpt",
        str(tmp_path / "network.pt"),
        "--frames",
        str(own_size_frames),
        "--out",
        str(tmp_path / "bundle"),
    ]
    assert main([*where, *flags, "--mc-samples", "8"]) == 0
    said = " ".join(capsys.readouterr().err.split())  # the terminal breaks lines
    assert "by the network, which normalises its input itself (mean and std)" in said
    assert read_manifest(tmp_path / "bundle").input.mean == (0.0, 0.0, 0.0)
    frame = np.array(FrameFiles((own_size_frames,))[5])
    images = torch.from_numpy(frame / 255).permute(2, 0, 1)[None].float()
    right, twice = network(images), network((images - network.mean) / network.std)
    assert (right.argmax(1) != twice.argmax(1)).float().mean() > 0.05  # the difference can be seen
    with OoDMonitor(tmp_path / "bundle") as monitor:
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != right.argmax(1)[0].numpy()) < 0.002


@settings(max_examples=20)
@given(st.floats(0, 0.9), st.floats(0.1, 0.9), st.sampled_from(["mean", "std", "both"]))
def test_resolve_preprocessing_of_one_that_normalises_itself_warns_of_each_flag_that_does_so_again(
    mean: float, std: float, which: str
) -> None:
    flags: dict[str, Any] = {"mean": (mean,) * 3, "std": (std,) * 3}
    flags = flags if which == "both" else {which: flags[which]}
    checkpoint = Checkpoint(Keeper(0.4, reads=True).eval(), {}, Path("x.ckpt"))
    reporter = ToldReporter()
    found = resolve(checkpoint, reporter, **flags)
    warnings = [line for line in reporter.lines if "which makes it twice" in line]
    assert len(warnings) == (any(found.mean) or set(found.std) != {1.0})
    reason = reporter.findings["mean and deviation"].reason
    assert all(warning.removeprefix("warning: ") in reason for warning in warnings)


@pytest.mark.parametrize("flags", [["--dry-run"], pytest.param(["--mc-samples", "8"], marks=pytest.mark.slow)])
def test_export_and_dry_run_of_a_network_that_normalises_itself_warn_of_flags_that_do_so_again(
    flags: list[str], tmp_path: Path, own_size_frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(settled(NormInside()).state_dict(), tmp_path / "network.pt")
    where = [
        "--ckpt",
        str(tmp_path / "network.pt"),
        "--frames",
        str(own_size_frames),
        "--out",
        str(tmp_path / "bundle"),
    ]
    constants = ["--mean", "0.45", "0.45", "0.45", "--std", "0.25", "0.25", "0.25"]
    tap = ["--tap", "encoder", "--drop-prob", "0.3", "--block-size", "2"]
    assert main([*where, "--model", f"{__name__}:NormInside", *tap, *constants, *flags]) == 0
    said = capsys.readouterr()
    warning = "the network normalises its input itself (mean and std), which makes it twice: --mean 0 0 0 --std 1 1 1"
    assert f"warning: {warning}" in " ".join(said.err.split())
    if flags == ["--dry-run"]:
        assert warning in " ".join(said.out.split())  # the table too, which is all that a redirected output holds


@settings(max_examples=30)
@given(st.integers(40, 120), st.integers(80, 240))
def test_resolve_preprocessing_of_a_files_size_warns_where_it_loses_detail_or_shape(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int
) -> None:
    folder = tmp_path_factory.mktemp("size")
    contents = {"size": {"height": height, "width": width}, "image_mean": 0.5, "image_std": 0.5}
    (folder / "preprocessor_config.json").write_text(json.dumps(contents))
    checkpoint = Checkpoint(nn.Identity(), {}, folder / "x.ckpt")
    reporter = ToldReporter()
    resolve(checkpoint, reporter)
    warnings = [line for line in reporter.lines if "makes frames of" in line]
    rounds = abs(2 * height - width) * 80 <= 160  # the frame is 80 x 160
    assert len(warnings) == (height < 80 or width < 160 or not rounds)
    if warnings:
        found = re.search(r"--input-size (\d+) (\d+)", warnings[0])
        assert found is not None
        silent = ToldReporter()
        resolve(checkpoint, silent, input_size=(int(found[1]), int(found[2])))
        assert not [line for line in silent.lines if "makes frames of" in line]


@pytest.mark.parametrize(
    ("switch", "state"), [({"do_flip_channel_order": True}, "not set"), ({"do_normalize": False}, "false")]
)
def test_resolve_preprocessing_of_a_files_mean_that_is_not_used_says_so(
    tmp_path: Path, switch: dict[str, bool], state: str
) -> None:
    contents = {"image_mean": [123.675, 116.28, 103.53], "image_std": [58.4, 57.1, 57.4], **switch}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(contents))
    reporter = ToldReporter()
    assert resolve(Checkpoint(nn.Identity(), {}, tmp_path / "x.ckpt"), reporter).mean == (0.0,) * 3
    reason = reporter.findings["mean and deviation"].reason
    assert reason.endswith(f"; image_mean in the file is not used: do_normalize is {state}")


def test_resolve_preprocessing_of_one_that_normalises_itself_says_that_it_comes_before_a_file(tmp_path: Path) -> None:
    contents = {"image_mean": [0.3] * 3, "image_std": [0.2] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(contents))
    reporter = ToldReporter()
    resolve(Checkpoint(Keeper(0.4, reads=True).eval(), {}, tmp_path / "x.ckpt"), reporter)
    assert "not taken: the network, which normalises its input itself (mean and std) comes first" in reporter.lines[-1]
