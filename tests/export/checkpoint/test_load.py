# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: the round trip, the guide's, and every way in which a file can be wrong."""

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from export.checkpoint.load import load_checkpoint
from export.errors import CheckpointError
from export.models import DeepLabV3PlusModule
from tests.conftest import save_checkpoint, small_network


def test_load_checkpoint_of_our_network_gives_equal_outputs(checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    x = torch.randn(1, 3, 64, 128)
    assert not any(module.training for module in loaded.network.modules())
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(x), small_network().eval()(x))
    assert loaded.hyper_parameters["drop_prob"] == 0.5


def test_load_checkpoint_of_a_trainers_file_gives_the_network(tmp_path: Path) -> None:
    trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    module = small_network()
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "trainer.ckpt", weights_only=True)
    assert load_checkpoint(tmp_path / "trainer.ckpt").network.hparams == module.hparams


def test_load_checkpoint_of_the_guide_gives_no_dropblock_constants(tmp_path: Path) -> None:
    guide = {
        "backbone_name": "resnet50",
        "deeplabv3plus_type": "backbone_dropblock2d",
        "dataset": "woodscape",
        "n_class": 10,
    }
    guide |= {"output_stride": 16, "pretrained_backbone": True, "len_train_loader_beta": 1, "label_colours": None}
    module = DeepLabV3PlusModule("resnet50", n_class=10)
    loaded = load_checkpoint(save_checkpoint(module, tmp_path / "guide.ckpt", **guide))
    assert loaded.hyper_parameters == guide
    x = torch.randn(1, 3, 33, 65)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(x), module.eval()(x))


RAN: list[str] = []


class _Surprise:
    """A pickled object that runs code when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (RAN.append, ("code of the checkpoint",))


def test_load_checkpoint_of_other_files_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    whole = checkpoint.read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.ckpt").write_bytes(b"")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps({"state_dict": {}}))
    torch.save({"weights": torch.zeros(1)}, tmp_path / "dict.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save({"state_dict": {}, "hyper_parameters": {"x": _Surprise()}}, tmp_path / "code.ckpt")
    save_checkpoint(pl.LightningModule(), tmp_path / "other_options.ckpt", hidden_size=3)
    save_checkpoint(pl.LightningModule(), tmp_path / "other_weights.ckpt", **small_network().hparams)
    for name, message in {
        "missing": "found none",
        "cut": "cut off",
        "empty": "cut off",
        "text": "cut off",
        "pickle": "hyper_parameters|cut off",
        "dict": "found weights",
        "list": "found list",
        "code": "run any code",
        "other_options": "hidden_size",
        "other_weights": "another network's",
    }.items():
        with pytest.raises(CheckpointError, match=message) as caught:
            load_checkpoint(tmp_path / f"{name}.ckpt")
        assert "\n" not in str(caught.value), name
    assert RAN == []


LINEAR: dict[str, Any] = {"model": "torch.nn:Linear", "model_args": {"in_features": 2, "out_features": 3}}


def test_load_checkpoint_of_a_state_dict_alone_fills_the_named_class(tmp_path: Path) -> None:
    network = nn.Linear(2, 3)
    torch.save(network.state_dict(), tmp_path / "linear.pt")
    loaded = load_checkpoint(tmp_path / "linear.pt", **LINEAR)
    x = torch.randn(4, 2)
    torch.testing.assert_close(loaded.network(x), network(x))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"weight": 3}, "expected a state dict, alone or under the key state_dict, found weight"),
        ([torch.zeros(1)], "found list"),
        (nn.Linear(2, 4).state_dict(), "size mismatch for weight"),
        ({"weight": torch.zeros(3, 2)}, "1 missing, the first is bias"),
        (nn.Linear(2, 3).state_dict() | {"scale": torch.ones(1)}, "1 unexpected, the first is scale"),
    ],
)
def test_load_checkpoint_of_another_networks_weights_is_refused(contents: object, message: str, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "other.pt", **LINEAR)


def test_load_checkpoint_with_a_long_report_of_torch_shortens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "x" * 300
    monkeypatch.setattr(nn, "LongNames", lambda: nn.ModuleDict({long: nn.Linear(2, 3)}), raising=False)
    torch.save({f"{long}.weight": torch.zeros(9, 9), f"{long}.bias": torch.zeros(9)}, tmp_path / "long.pt")
    with pytest.raises(CheckpointError, match=r"x \.\.\.; check --model"):
        load_checkpoint(tmp_path / "long.pt", model="torch.nn:LongNames")


@pytest.mark.parametrize("missing", ["module", "class"])
def test_load_checkpoint_whose_pickled_class_is_not_found_names_it(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("users_module")
    users_class = type("UsersOptions", (), {"__module__": "users_module"})
    monkeypatch.setitem(sys.modules, "users_module", module)
    monkeypatch.setattr(module, "UsersOptions", users_class, raising=False)
    torch.save({"state_dict": {}, "options": users_class()}, tmp_path / "users.ckpt")
    if missing == "module":
        monkeypatch.delitem(sys.modules, "users_module")
    else:
        monkeypatch.delattr(module, "UsersOptions")
    with pytest.raises(CheckpointError, match=r"classes that are pickled in .*users.*run from the folder"):
        load_checkpoint(tmp_path / "users.ckpt", trust=True)


def test_load_checkpoint_of_a_damaged_file_that_is_trusted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    with pytest.raises(CheckpointError, match="cut off or none"):
        load_checkpoint(tmp_path / "text.ckpt", trust=True)
