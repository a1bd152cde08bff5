# SPDX-License-Identifier: Apache-2.0
"""Files and folders of every kind in which weights come: read right, or refused with a remedy that works."""

import argparse
import functools
import json
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict_saver import save as save_shards

from export.checkpoint.load import load_checkpoint
from export.checkpoint.read import read_contents
from export.errors import CheckpointError

LINEAR: dict[str, Any] = {"model": "torch.nn:Linear", "model_args": {"in_features": 2, "out_features": 3}}


def linear() -> nn.Linear:
    torch.manual_seed(7)
    return nn.Linear(2, 3)


def assert_is_the_linear(network: nn.Module) -> None:
    wanted, found = linear().state_dict(), network.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def save_in_parts(folder: Path, save: Callable[[dict[str, torch.Tensor], Path], None], ending: str) -> Path:
    """Write a folder as transformers does."""
    folder.mkdir()
    files = {}
    for i, (name, value) in enumerate(linear().state_dict().items()):
        files[name] = f"model-{i}.{ending}"
        save({name: value}, folder / files[name])
    (folder / f"model.{ending}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return folder


def test_load_checkpoint_of_safetensors_reads_them(tmp_path: Path) -> None:
    prefixed = {f"model.{name}": value for name, value in linear().state_dict().items()}
    safetensors.torch.save_file(prefixed, tmp_path / "w.safetensors")
    assert_is_the_linear(load_checkpoint(tmp_path / "w.safetensors", **LINEAR).network)


@pytest.mark.parametrize(
    ("save", "ending"), [(safetensors.torch.save_file, "safetensors"), (torch.save, "bin")], ids=["safetensors", "bin"]
)
def test_load_checkpoint_of_a_folder_with_an_index_reads_its_files(save: Any, ending: str, tmp_path: Path) -> None:
    folder = save_in_parts(tmp_path / "parts", save, ending)
    assert_is_the_linear(load_checkpoint(folder, **LINEAR).network)
    torch.save([1], folder / "model-1.bin") if ending == "bin" else (folder / "model-1.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"copy it again"):
        load_checkpoint(folder, **LINEAR)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "cut off or none: JSONDecodeError"),
        ("[]", "cut off or none: TypeError"),
        ("{}", "cut off or none: KeyError"),
        ('{"weight_map": {"weight": "../secret.bin"}}', "expected names of files in"),
        ('{"weight_map": {"weight": 3}}', "expected names of files in"),
        ('{"weight_map": {"weight": "model-0.bin", "scale": "model-0.bin"}}', "1 are in no file, the first is scale"),
        ('{"weight_map": {"weight": "model-7.bin"}}', "found none at"),
    ],
)
def test_load_checkpoint_of_a_folder_with_a_wrong_index_is_refused(index: str, message: str, tmp_path: Path) -> None:
    folder = save_in_parts(tmp_path / "parts", torch.save, "bin")
    (folder / "model.bin.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(folder, **LINEAR)
    assert "\n" not in str(caught.value)


def test_load_checkpoint_of_a_folder_of_shards_offers_a_command_that_works(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="single process"):
        save_shards({"state_dict": linear().state_dict()}, checkpoint_id=tmp_path / "shards.ckpt")
    with pytest.raises(CheckpointError, match="is a folder of shards") as caught:
        load_checkpoint(tmp_path / "shards.ckpt", **LINEAR)
    python, *command = shlex.split(str(caught.value).rpartition("with ")[2])
    assert python == "python"
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    assert_is_the_linear(load_checkpoint(command[-1], **LINEAR).network)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["zero_to_fp32.py", "latest"], "DeepSpeed's: make one with the zero_to_fp32.py"),
        (["last.ckpt", "best.ckpt", "log.txt"], "name a file in it by --ckpt, there is best.ckpt, last.ckpt$"),
        ([], "there is no checkpoint"),
    ],
)
def test_load_checkpoint_of_another_folder_is_refused(files: list[str], message: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path, **LINEAR)


def test_load_checkpoint_of_torchscript_needs_trust_and_a_class(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.script(linear()).save(tmp_path / "jit.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(
        CheckpointError, match=r"TorchScript file, which may run any code: .*--trust-checkpoint"
    ) as caught:
        load_checkpoint(tmp_path / "jit.pt", **LINEAR)
    assert caught.value.words == ("--trust-checkpoint",)
    with pytest.raises(CheckpointError, match="name its class by --model"):
        load_checkpoint(tmp_path / "jit.pt", trust=True)
    assert_is_the_linear(load_checkpoint(tmp_path / "jit.pt", **LINEAR, trust=True).network)


@pytest.mark.parametrize(("package", "name"), [("safetensors", "w.safetensors"), ("omegaconf", "hydra.pt")])
def test_load_checkpoint_without_an_optional_package_names_it(
    package: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    omegaconf = pytest.importorskip("omegaconf")
    safetensors.torch.save_file(linear().state_dict(), tmp_path / "w.safetensors")
    config = omegaconf.OmegaConf.create({"width": 3})
    torch.save({"state_dict": linear().state_dict(), "config": config}, tmp_path / "hydra.pt")
    assert_is_the_linear(load_checkpoint(tmp_path / name, **LINEAR).network)
    for module in [key for key in sys.modules if key.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CheckpointError, match=f"expected the package {package} .*: pip install {package}"):
        load_checkpoint(tmp_path / name, **LINEAR)


@pytest.mark.parametrize(
    "plain",
    [
        argparse.Namespace(lr=1e-3, size=(3, 4)),
        pathlib.Path("runs"),
        pathlib.PurePosixPath("runs"),
        pathlib.PureWindowsPath("runs"),
        torch.__version__,
        np.float64(0.25),
        np.int32(-7),
        np.array([3], ">u2")[0],
        np.bool_(True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_load_checkpoint_with_plain_values_of_other_types_reads_them(plain: object, tmp_path: Path) -> None:
    torch.save({"model": linear().state_dict(), "args": plain}, tmp_path / "plain.pt")
    read = read_contents(tmp_path / "plain.pt", trust=False)
    assert isinstance(read, dict)
    assert read["args"] == plain
    assert_is_the_linear(load_checkpoint(tmp_path / "plain.pt", **LINEAR).network)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_load_checkpoint_of_objects_that_need_trust_names_them(zipped: bool, tmp_path: Path) -> None:
    contents = {"model": linear().state_dict(), "make": functools.partial(torch.optim.Adam, lr=1e-3)}
    torch.save(contents, tmp_path / "objects.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"functools\.partial.*run any code.*--trust-checkpoint") as caught:
        load_checkpoint(tmp_path / "objects.pt", **LINEAR)
    assert caught.value.words == ("--trust-checkpoint",)
    assert_is_the_linear(load_checkpoint(tmp_path / "objects.pt", **LINEAR, trust=True).network)
