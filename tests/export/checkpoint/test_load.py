# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: the round trip, the guide's, and every way in which a file can be wrong."""

import pickle
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

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


class _Surprise:
    """A pickled object that would run code when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path("/tmp/lsood-must-not-exist").write_text, ("ran",))


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
    assert not Path("/tmp/lsood-must-not-exist").exists()
