# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of LightningCLI, and hyper-parameters that stand in a file beside the checkpoint."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI

from export.errors import CheckpointError
from tests.export.checkpoint import lightning_modules as shapes
from tests.export.checkpoint.test_lightning_module import MODULES, QUIET, assert_equal, load, save, shuffled


def cli_checkpoint(folder: Path, *words: str, name: str = "OtherPackage") -> Path:
    """What LightningCLI's Trainer writes, with its ``config.yaml`` beside it."""
    quiet = [f"--trainer.{key}={str(value).lower()}" for key, value in QUIET.items()]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of jsonargparse, by what LightningCLI itself does
        patch.setattr(sys, "argv", ["train.py", *quiet, *words])
        cli = LightningCLI(getattr(shapes, name), run=False, save_config_callback=None, seed_everything_default=False)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(cli.parser.dump(cli.config, skip_none=False))
    return save(shuffled(cli.model), folder / "checkpoints" / "last.ckpt")


NETWORK = (f"--model.net={MODULES}.TwoLayers", "--model.net.width=5", "--model.scale=[1.0,2.0]")


def test_load_checkpoint_of_lightning_cli_builds_what_it_names(tmp_path: Path) -> None:
    """The class of the network is imported already, as the module's own file does; so it needs no trust."""
    path = cli_checkpoint(tmp_path / "run", *NETWORK)
    loaded, _ = load(path, "OtherPackage")
    assert_equal(loaded.network.state_dict(), torch.load(path, weights_only=True)["state_dict"])
    assert loaded.network.scale == (1.0, 2.0)


def change(path: Path, **hyper_parameters: Any) -> None:
    contents = torch.load(path, weights_only=True)
    torch.save({**contents, "hyper_parameters": {**contents["hyper_parameters"], **hyper_parameters}}, path)


def test_load_checkpoint_that_names_code_to_run_is_refused_without_trust(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "untrusted_code.py").write_text(f"open({str(marker)!r}, 'w')\nfrom torch.nn import Identity as Net\n")
    path = cli_checkpoint(tmp_path / "run", *NETWORK)
    for named in ({"class_path": "untrusted_code.Net"}, {"class_path": "os.system", "init_args": {"command": "x"}}):
        change(path, net=named)
        with pytest.raises(CheckpointError, match=f"call, {named['class_path']}, which could run any code") as caught:
            load(path, "OtherPackage")
        assert caught.value.words == ("--trust-checkpoint",)
    change(path, net={"layers": [{"_target_": "untrusted_code.Net"}]})
    with pytest.raises(CheckpointError, match=r"call, untrusted_code\.Net, which"):
        load(path, "OtherPackage")
    change(path, _instantiator="untrusted_code.Net")
    for trust in (False, True):
        with pytest.raises(CheckpointError, match="expected LightningCLI's instantiator"):
            load(path, "OtherPackage", trust=trust)
    assert not marker.exists()


def test_load_checkpoint_of_lightning_cli_of_another_class_names_it(tmp_path: Path) -> None:
    path = cli_checkpoint(tmp_path / "run", name="OtherSized")
    change(path, _class_path=f"{MODULES}.OtherSized")
    assert isinstance(load(path, "OtherSized")[0].network, shapes.OtherSized)
    assert isinstance(load(path, "OtherFiner")[0].network, shapes.OtherFiner)
    change(path, _class_path="theirs.Unet")
    with pytest.raises(CheckpointError, match=r"is of theirs\.Unet: name it by --model") as caught:
        load(path, "OtherSized")
    assert caught.value.words == ("--model", "theirs.Unet")


def test_load_checkpoint_of_lightning_cli_without_jsonargparse_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cli_checkpoint(tmp_path / "run", name="OtherSized")

    def missing(*_: object) -> None:
        raise ModuleNotFoundError("Requirement 'jsonargparse[signatures]>=4.39.0' not met.")

    monkeypatch.setattr("lightning.pytorch.cli.instantiate_module", missing)
    with pytest.raises(CheckpointError, match=r"jsonargparse .*: pip install 'jsonargparse\[signatures\]'"):
        load(path, "OtherSized")


def without_hyper_parameters(path: Path) -> None:
    contents = torch.load(path, weights_only=True)
    for name in [key for key in contents if key.startswith("hparams") or key == "hyper_parameters"]:
        del contents[name]
    torch.save(contents, path)


@pytest.mark.parametrize("folder", ["run", "run/checkpoints"])
def test_load_checkpoint_without_hyper_parameters_takes_those_of_hparams_yaml(folder: str, tmp_path: Path) -> None:
    module = shuffled(shapes.Sized(5))
    path = save(module, tmp_path / folder / "last.ckpt")
    beside = tmp_path / "run" / "hparams.yaml"
    beside.write_text(yaml.safe_dump({"width": 5, "classes": 3, "git_sha": "abc"}))
    assert load(path, "Sized")[0].hyper_parameters == {"width": 5, "classes": 3}
    without_hyper_parameters(path)
    loaded, sentences = load(path, "Sized")
    assert_equal(loaded.network.state_dict(), module.state_dict())
    assert any("hparams.yaml beside it has" in sentence for sentence in sentences)
    assert any("without git_sha" in sentence for sentence in sentences)
    beside.write_text("width: 5\nclasses: 3\nsize: !!python/tuple [360, 480]\n")
    assert load(path, "Sized")[0].hyper_parameters["size"] == (360, 480)
    beside.write_text("width: !!python/object/apply:os.system [x]")
    with pytest.raises(CheckpointError, match=r"plain YAML in .*hparams\.yaml, got .*os\.system"):
        load(path, "Sized")


@pytest.mark.parametrize("inside", ["class_path", "arguments", "other class"])
def test_load_checkpoint_without_hyper_parameters_takes_those_of_its_config(inside: str, tmp_path: Path) -> None:
    path = cli_checkpoint(tmp_path / "run", "--model.width=5", name="OtherSized")
    without_hyper_parameters(path)
    config = tmp_path / "run" / "config.yaml"
    arguments = yaml.safe_load(config.read_text())["model"]
    assert arguments["width"] == 5
    if inside != "arguments":
        name = "OtherSized" if inside == "class_path" else "Else"
        config.write_text(yaml.safe_dump({"model": {"class_path": f"{MODULES}.{name}", "init_args": arguments}}))
    if inside == "other class":
        with pytest.raises(CheckpointError, match="size mismatch"):
            load(path, "OtherSized")
    else:
        loaded, sentences = load(path, "OtherSized")
        assert_equal(loaded.network.state_dict(), torch.load(path, weights_only=True)["state_dict"])
        assert any("config.yaml beside it has" in sentence for sentence in sentences)
