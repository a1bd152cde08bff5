# SPDX-License-Identifier: Apache-2.0
"""Drives, picks, judgement and table of the selection experiment; its trainings are too long for a test."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import jaccard_score

from export.data import LabelledFolder
from tests.examples.loading import load_example

SIZE = (10, 12)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, kind in (("train", ".jpg"), ("trainannot", ".png")):
        (tmp_path / name).mkdir()
        for frame in range(9):
            shape = (*SIZE, 3) if kind == ".jpg" else SIZE
            pixels = rng.integers(0, 256 if kind == ".jpg" else 7, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{frame // 3}_{frame}{kind}")
    return tmp_path


def test_drives_of_network_monitor_and_pool_are_disjoint_and_drawn_by_the_seed() -> None:
    module, names = load_example("select_experiment"), [f"d{number // 2}" for number in range(610)]
    drives = module.draw_drives(names, 0)
    assert drives.network | drives.monitor | drives.pool == set(names)
    assert (len(drives.network), len(drives.monitor), len(drives.pool)) == (102, 30, 173)
    assert module.draw_drives(names[::-1], 0) == drives
    assert module.draw_drives(names, 1) != drives


def test_training_frames_are_those_of_the_drives_and_the_picks(data: Path) -> None:
    module = load_example("select_experiment")
    small = module.Small(module.labelled(data, "train"), {"1"}, ["0_2.jpg", "2_6.jpg"])
    assert len(small) == 5
    frame, label = small[0]
    assert (frame.shape, label.shape) == ((*module.SIZE, 3), module.SIZE)


def test_judgement_and_entropy_are_those_of_the_logits(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_example("select_experiment")
    frames = module.labelled(data, "train")
    logits = [
        torch.randn(1, 7, 5, 6, generator=torch.Generator().manual_seed(index)) * (index + 1) for index in range(9)
    ]

    def told(_: Path, of: LabelledFolder) -> Iterator[tuple[torch.Tensor, Any]]:
        return ((logits[index], of.label(index)) for index in range(len(of)))

    monkeypatch.setattr(module, "logits_of", told)
    resized = [
        torch.nn.functional.interpolate(each, size=SIZE, mode="bilinear").argmax(1)[0].numpy() for each in logits
    ]
    labels = [frames.label(index) for index in range(9)]
    expected = jaccard_score(np.ravel(labels), np.ravel(resized), average="macro")
    assert module.judge(data, frames)["miou"] == pytest.approx(expected)
    entropies = [float(scipy_entropy(each.softmax(1).numpy(), axis=1).mean()) for each in logits]
    highest = sorted(range(9), key=lambda index: -entropies[index])[:4]
    assert module.pick_by_entropy(data, frames, 4) == [frames.paths[index].name for index in highest]
    assert len(set(module.pick_at_random(frames, 4, 0))) == 4


def test_table_has_means_and_paired_differences() -> None:
    module = load_example("select_experiment")
    miou = {"none": (0.4, 0.5), "random": (0.41, 0.5), "entropy": (0.44, 0.5), "monitor": (0.43, 0.55)}
    results = {seed: {arm: {"miou": of[seed], "drives": 3} for arm, of in miou.items()} for seed in range(2)}
    *_, last = module.table(results)
    assert last == (
        "| monitor | 0.4300 | 0.5500 | 0.4900 | +0.0400 (+0.0300 to +0.0500) | +0.0350 (+0.0200 to +0.0500) | 3, 3 |"
    )
    assert math.isclose(float(last.split("|")[4]), sum(miou["monitor"]) / 2)


def test_plan_of_another_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_example("select_experiment")
    module.Plan(tmp_path, tmp_path, 0, 100, 800, 300).check()
    with pytest.raises(SystemExit, match="name another --out"):
        module.Plan(tmp_path, tmp_path, 0, 100, 800, 400).check()
    with pytest.raises(SystemExit):
        module.main(["--data", str(tmp_path / "nowhere")])
    assert "expected a folder of" in capsys.readouterr().err
