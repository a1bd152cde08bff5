# SPDX-License-Identifier: Apache-2.0
"""The example that trains on a labelled folder: what it refuses, and a training from weights to a checkpoint."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.checkpoint.load import load_checkpoint
from export.models.resnet import ResNetFeatures
from tests.paths import EXAMPLES

EXAMPLE = EXAMPLES / "train_labelled_folder.py"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Command line over eight frames of four drives, two of which ``drives.txt`` names."""
    rng = np.random.default_rng(0)
    for kind in ("frames", "labels"):
        (tmp_path / kind).mkdir()
    for number in range(8):
        name = f"{'abcd'[number // 2]}_{number}.png"
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save(tmp_path / "frames" / name)
        Image.fromarray(rng.choice(np.array([0, 1, 2, 9], np.uint8), (24, 32))).save(tmp_path / "labels" / name)
    (tmp_path / "drives.txt").write_text("a\nc\nd\n")
    paths = {"--frames": "frames", "--labels": "labels", "--drives": "drives.txt", "--out": "run"}
    found = [part for option, name in paths.items() for part in (option, str(tmp_path / name))]
    sizes = ["--input-size", "64", "64", "--crop", "32", "64", "--batch-size", "2", "--epochs", "1"]
    return [*found, "--classes", "3", "--ignore-label", "9", *sizes]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--drives", "nowhere.txt"], "cannot read nowhere.txt"),
        (["--ignore-label", "255"], "ids from 0 to 2, 255"),
        (["--classes", "300"], "1 to 255 classes"),
        (["--group-by", "none"], "3 of 3 have no frame, first a"),
        (["--val-share", "1.5"], "share of the frames"),
        (["--val-frames", "."], "--val-frames and --val-labels together"),
        (["--batch-size", "16"], "at least 16 training frames"),
        (["--weights", "nowhere.pth"], "nothing at nowhere.pth"),
        (["--backbone", "vgg16"], "a backbone among"),
        (["--epochs", "0"], "--epochs and --val-every of 1 or more"),
        (["--resume"], "to resume from, found none"),
    ],
)
def test_training_example_with_a_wrong_option_exits_with_one_line(
    extra: list[str],
    message: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)  # as Python does for a script
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *arguments, *extra])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_training_example_from_weights_writes_a_checkpoint_of_the_drives(arguments: list[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(ResNetFeatures("resnet18").state_dict(), tmp_path / "weights.pth")
    command = [
        sys.executable,
        str(EXAMPLE),
        *arguments,
        "--weights",
        str(tmp_path / "weights.pth"),
        "--drop-prob",
        "0.2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 frames of 2 drives to train on, 2 to validate with" in done.stdout
    assert "best validation mIoU" in done.stdout
    loaded = load_checkpoint(tmp_path / "run" / "best.ckpt")
    assert loaded.hyper_parameters["n_class"] == 3
    assert loaded.hyper_parameters["drop_prob"] == 0.2
    assert loaded.hyper_parameters["pretrained_backbone"] is False
    done = subprocess.run([*command, "--resume", "--classes", "4"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected --classes 3, as the run" in done.stderr.splitlines()[-1]
