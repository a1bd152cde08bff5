# SPDX-License-Identifier: Apache-2.0
"""Training: what is logged, that it learns, and that the example goes on where it was cut off."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, jaccard_score
from torch.utils.data import DataLoader

from export.checkpoint.load import load_checkpoint
from export.data import SegmentationDataset, SyntheticRoads
from tests.conftest import INPUT_SIZE, small_network
from tests.paths import ROOT


def loader(scenes: int) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    data = SegmentationDataset(SyntheticRoads(scenes, *INPUT_SIZE, seed=5), INPUT_SIZE, (0.5,) * 3, (0.25,) * 3)
    return DataLoader(data, batch_size=4)


def quiet_trainer(**options: int) -> pl.Trainer:
    silent = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(**silent, **options, accelerator="cpu")  # type: ignore[arg-type]


def test_validation_metrics_of_a_network_equal_scikit_learn() -> None:
    module, batches = small_network(), loader(8)
    trainer = quiet_trainer()
    trainer.validate(module, batches, verbose=False)
    module.eval()
    with torch.inference_mode():
        pairs = [(module(x).argmax(1)[y != 255], y[y != 255]) for x, y in batches]
    predicted, labels = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
    logged = trainer.callback_metrics
    assert float(logged["validation_accuracy"]) == pytest.approx(accuracy_score(labels, predicted), abs=1e-6)
    present = np.union1d(labels, predicted)
    expected = jaccard_score(labels, predicted, average="macro", labels=present)
    assert float(logged["validation_IoU"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal_loss"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_with_any_loss_and_optimizer_lowers_the_loss(loss: str, optimizer: str) -> None:
    pl.seed_everything(0, verbose=False)
    module, batches = small_network(pred_loss_type=loss, optimizer=optimizer, optimizer_lr=5e-3), loader(4)
    before = quiet_trainer().validate(module, batches, verbose=False)[0]
    quiet_trainer(max_epochs=25, limit_val_batches=0).fit(module, batches, batches)
    after = quiet_trainer().validate(module, batches, verbose=False)[0]
    assert after["validation_loss"] < 0.8 * before["validation_loss"]
    assert after["validation_accuracy"] > before["validation_accuracy"]


@pytest.mark.slow
def test_camvid_example_after_a_kill_resumes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, drives in {"train": ["0006R0", "0001TP"], "val": ["0016E5"]}.items():
        for name in (f"{drive}_{i:05d}.png" for drive in drives for i in range(4)):
            for folder, array in (
                (split, rng.integers(0, 256, (360, 480, 3), np.uint8)),
                (f"{split}annot", rng.integers(0, 12, (360, 480), np.uint8)),
            ):
                (tmp_path / folder).mkdir(exist_ok=True)
                Image.fromarray(array).save(tmp_path / folder / name)
    last = tmp_path / "run" / "last.ckpt"
    script = str(ROOT / "examples" / "train_camvid.py")
    command = [sys.executable, script, "--data", str(tmp_path), "--out", str(last.parent), "--epochs", "5"]
    command += ["--batch-size", "2", "--crop", "96", "128", "--input-size", "120", "160", "--val-every", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as cut_off:
        while not last.is_file():
            assert cut_off.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        cut_off.kill()
    assert torch.load(last, weights_only=True)["global_step"] < 10  # 5 epochs of two batches
    done = subprocess.run([*command, "--resume", "--epochs", "6"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected --epochs 5" in done.stderr
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "best validation mIoU" in done.stdout
    assert torch.load(last, weights_only=True)["global_step"] == 10
    assert load_checkpoint(last.with_name("best.ckpt")).hyper_parameters["input_size"] == (120, 160)
