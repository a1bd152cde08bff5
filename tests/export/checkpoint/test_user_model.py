# SPDX-License-Identifier: Apache-2.0
"""Networks that a user brings: the class, its weights and its tap, from the command line."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from export.checkpoint.user_model import build_network
from export.cli.export import main
from export.errors import CheckpointError
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import write_scenes
from tests.networks import DropoutUNet, NoDropout

USER_MODULE = """
import torch
from tests.networks import DropoutUNet, NoDropout
class Sized(NoDropout):
    def __init__(self, size): super().__init__()
class Twice(NoDropout):
    def forward(self, x): return super().forward(x), x
def make(): return NoDropout()
class ByValue(NoDropout):
    def forward(self, x):
        features = self.encoder(x)
        return self.head(features * 2 if features.mean() > 0 else features)
class FramesInside(NoDropout):
    # Dropout on (cells * frames, channels): frames are not outermost, and no shape tells.
    def __init__(self):
        super().__init__()
        self.dropout, self.tap = torch.nn.Dropout(0.5), torch.nn.ReLU()
    def forward(self, x):
        features = self.encoder(x)
        b, c, h, w = features.shape
        rows = self.dropout(features.flatten(2).permute(2, 0, 1).reshape(h * w * b, c))
        return self.head(self.tap(rows.reshape(h * w, b, c).permute(1, 2, 0).reshape(b, c, h, w)))
class NoOnnxForm(NoDropout):
    def forward(self, x): return super().forward(x) + torch.linalg.matrix_exp(x[..., :24]).mean()
"""


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "user_networks.py").write_text(USER_MODULE)
    (folder / "broken_networks.py").write_text("import no_such_package")
    torch.manual_seed(0)
    torch.save(DropoutUNet().state_dict(), folder / "unet.pt")
    weights = NoDropout().state_dict()  # the same in each file: one conversion serves them all
    torch.save({"state_dict": weights, "hyper_parameters": {"size": 3}}, folder / "sized.ckpt")
    torch.save({"state_dict": weights}, folder / "plain.pt")
    torch.save({"state_dict": weights, "path": partial(Path, "x")}, folder / "pickle.pt")
    write_scenes(folder / "frames", 30, seed=1, size=(48, 64))
    return folder


@pytest.fixture(autouse=True)
def in_the_users_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(user)


def export(out: Path, *flags: str) -> int:
    common = (
        "--frames frames --mc-samples 8 --input-size 24 32 --false-alarm-rate 0.3 --mean 0.5 0.5 0.5 --std 0.2 0.2 0.2"
    )
    return main([*common.split(), "--out", str(out), *" ".join(flags).split()])


SHAPE = "--tap encoder --block-size 2"
ADDED = f"{SHAPE} --drop-prob 0.5"
TWO_TAPS = "--tap encoder.0 encoder.1 --drop-prob 0.5 --block-size 2"


@pytest.mark.parametrize(
    ("flags", "block_size", "sites"),
    [
        ("--ckpt unet.pt --model user_networks:DropoutUNet --tap bottleneck", None, 3),
        (f"--ckpt plain.pt --model user_networks:make {ADDED}", 2, 1),
        (f"--ckpt sized.ckpt --model user_networks:Sized --model-arg size=4 {ADDED}", 2, 1),
        (f"--ckpt pickle.pt --trust-checkpoint --model user_networks:NoDropout {ADDED}", 2, 1),
        (f"--ckpt plain.pt --model user_networks:Twice --segmentation none {TWO_TAPS}", 2, 2),
        pytest.param(f"--ckpt plain.pt --model user_networks:make {TWO_TAPS}", 2, 2, marks=pytest.mark.slow),
        pytest.param(
            f"--ckpt plain.pt --model user_networks:Twice --segmentation none {ADDED}", 2, 1, marks=pytest.mark.slow
        ),
    ],
)
def test_export_command_of_a_users_network_writes_a_bundle(
    flags: str, block_size: int | None, sites: int, tmp_path: Path
) -> None:
    assert export(tmp_path / "m", flags) == 0
    manifest = read_manifest(tmp_path / "m")
    assert manifest.masks.block_size == block_size
    assert len(manifest.config["sites"]) == sites
    if manifest.segmentation.kind != "none":
        assert (manifest.segmentation.num_classes, manifest.segmentation.height) == (5, 24)
    OoDMonitor(tmp_path / "m").close()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (f"--ckpt plain.pt --model user_networks {ADDED}", 2, "package.module:Class"),
        (f"--ckpt plain.pt --model nowhere:Net {ADDED}", 3, "ModuleNotFoundError"),
        (f"--ckpt plain.pt --model broken_networks:Net {ADDED}", 3, "no_such_package"),
        (f"--ckpt plain.pt --model user_networks:NoDropuot {ADDED}", 3, "NoDropout"),
        (f"--ckpt plain.pt --model user_networks:Sized {ADDED}", 3, "--model-arg size=VALUE"),
        (f"--ckpt sized.ckpt --model user_networks:NoDropout {ADDED}", 3, "got size beside"),
        (f"--ckpt unet.pt --model user_networks:NoDropout {ADDED}", 3, "missing, the first is encoder.0.0.weight"),
        (f"--ckpt pickle.pt --model user_networks:NoDropout {ADDED}", 3, "--trust-checkpoint"),
        (f"--ckpt plain.pt --model user_networks:Twice {ADDED}", 4, "--segmentation none"),
        (f"--ckpt plain.pt --model user_networks:ByValue {ADDED}", 4, "torch.where in place of `if`"),
        (f"--ckpt plain.pt --model user_networks:NoOnnxForm {ADDED}", 4, "no ONNX form"),
        (
            "--ckpt plain.pt --model user_networks:FramesInside --tap tap --segmentation none",
            5,
            "disagrees with the PyTorch network",
        ),
        ("--ckpt plain.pt --model user_networks:NoDropout --tap encoder", 3, "--drop-prob"),
        ("--ckpt plain.pt --model user_networks:NoDropout --tap encodr", 3, "nearest are encoder"),
        ("--ckpt plain.pt --model user_networks:NoDropout --tap encoder --drop-prob 0.5", 2, "both or neither"),
        (f"--ckpt plain.pt --model user_networks:NoDropout {SHAPE} --drop-prob 0.01", 3, "--force"),
        ("--ckpt unet.pt", 3, "--model"),
    ],
)
def test_export_command_of_an_unusable_network_prints_one_line(
    flags: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(tmp_path / "m", flags) == code
    errors = capsys.readouterr().err.splitlines()
    assert errors[-1].startswith("export: error: ")
    assert message in errors[-1]
    assert list(tmp_path.iterdir()) == []


def test_list_layers_without_frames_prints_the_layers(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in user.iterdir() if path.name != "__pycache__")
    flags = "--ckpt unet.pt --model user_networks:DropoutUNet --list-layers"
    assert main([*flags.split(), "--input-size", "24", "32"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in table if line.startswith("drop2")] == ["dropout(p=0.4)"]
    assert any("1 x 12 x 6 x 8" in line for line in table if line.startswith("bottleneck "))
    assert sorted(path.name for path in user.iterdir() if path.name != "__pycache__") == before
    assert main(flags.split()) == 2
    assert "--input-size or --frames" in capsys.readouterr().err


def test_force_with_masks_that_often_drop_nothing_writes_a_bundle(tmp_path: Path) -> None:
    flags = f"--ckpt plain.pt --model user_networks:NoDropout {SHAPE} --drop-prob 0.2 --segmentation none"
    assert export(tmp_path / "m", flags) == 3
    assert export(tmp_path / "m", flags, "--force") == 0


def raising(size: int) -> torch.nn.Module:
    raise KeyError(f"no size {size}")


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        (raising, {"size": 3}, "expected hyper-parameters that raising can be built with, got KeyError: 'no size 3'"),
        (lambda: 3, {}, "to give an nn.Module, got int"),
        (raising, {}, "give --model-arg size=VALUE"),
        (raising, {"size": 3, "depth": 2}, r"takes \(size\), got depth beside them"),
    ],
)
def test_build_network_of_wrong_arguments_is_refused(
    target: Callable[..., object], arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        build_network(target, arguments)
