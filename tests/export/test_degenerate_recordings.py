# SPDX-License-Identifier: Apache-2.0
"""Commands on recordings and networks at the edge of what can be fitted: a clear message, or finite scores."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.cli import calibrate, export
from export.frames.files import FrameFiles
from export.layers.dropblock import DropBlock2D
from lsood_runtime import OoDMonitor, State
from tests.conftest import write_scenes

COUNT = 40
FRAME = (32, 64)


class OneCellLayer(nn.Module):
    """A layer of one cell, a channel that is constant everywhere, and a class that never occurs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 6, 3, 2, padding=1), nn.AdaptiveAvgPool2d(1)
        self.drop, self.head = DropBlock2D(0.6, 2), nn.Conv2d(6, 3, 1)
        with torch.no_grad():
            self.stem.weight[2] = 0
            self.head.get_parameter("bias")[1] = -1e4

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        logits: Tensor = self.head(self.drop(stem + self.pool(stem)))
        return F.interpolate(logits, size=x.shape[-2:])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("recording"), COUNT, seed=4, size=FRAME)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "one_cell.pt"
    torch.save(OneCellLayer().state_dict(), path)
    return path


def table(path: Path, recording: Path, drive_of: Callable[[int], str | None]) -> Path:
    """A drive table; frames of no drive are not in it."""
    named = [(file.name, drive_of(i)) for i, file in enumerate(sorted(recording.iterdir()))]
    path.write_text("frame,drive\n" + "".join(f"{name},{drive}\n" for name, drive in named if drive is not None))
    return path


def export_words(network: Path, recording: Path, drives: Path, out: Path) -> list[str]:
    return [
        *("--ckpt", str(network), "--model", f"{__name__}:OneCellLayer", "--frames", str(recording), "--out", str(out)),
        *("--mean", "0.5", "0.5", "0.5", "--std", "0.2", "0.2", "0.2", "--mc-samples", "8", "--feature-layers", "pool"),
        *("--group-by", str(drives), "--false-alarm-rate", "0.2"),
    ]


ODD_PARTS = ["mahalanobis@moments/pool", "mahalanobis@class_share", "mahalanobis@entropy", "mahalanobis@logit_moments"]


def check_scores(bundle: Path, recording: Path) -> None:
    """A frame that was there, a dark one, a bright one and noise have finite scores and shares."""
    rng = np.random.default_rng(0)
    ranges = [(0, 30), (225, 256), (0, 256)]
    frames = [rng.integers(*chosen, (*FRAME, 3), dtype=np.uint8) for chosen in ranges]
    frames.append(FrameFiles([recording])[0])
    with OoDMonitor(bundle) as monitor:
        for frame in frames:
            assessment = monitor.assess(frame)
            assert assessment.state in (State.OK, State.OUT_OF_DISTRIBUTION)
            assert np.isfinite(assessment.score)
            assert np.isfinite(list(assessment.parts.values())).all()


@pytest.mark.parametrize("count", [1, 4], ids=["one drive", "four drives"])
def test_commands_on_a_layer_of_one_cell_a_constant_channel_and_a_class_that_never_occurs_give_finite_scores(
    network: Path, recording: Path, tmp_path: Path, count: int
) -> None:
    drives = table(tmp_path / "drives.csv", recording, lambda i: f"drive{i * count // COUNT}")
    out = tmp_path / "monitor"
    assert export.main([*export_words(network, recording, drives, out), "--quiet"]) == 0
    check_scores(out, recording)
    words = [str(out), "--frames", str(recording), "--group-by", str(drives), "--false-alarm-rate", "0.2", "--quiet"]
    for number, chosen in enumerate([[], ["--parts", *ODD_PARTS], ["--detector", "kde"]]):
        again = tmp_path / f"again{number}"
        assert calibrate.main([*words, "--out", str(again), *chosen]) == 0
        check_scores(again, recording)


@pytest.fixture(scope="module")
def monitor(network: Path, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    drives = table(folder / "drives.csv", recording, lambda i: f"drive{i // 10}")
    assert export.main([*export_words(network, recording, drives, folder / "monitor"), "--quiet"]) == 0
    return folder / "monitor"


@pytest.mark.parametrize(
    ("drive_of", "options", "code", "message"),
    [
        (
            lambda _: "only",
            ["--guarantee", "drives"],
            6,
            "at least 4 drives to guarantee 0.2 for new drives, got 1: add 3",
        ),
        (lambda i: f"d{i // 20}", ["--guarantee", "drives"], 6, "got 2: add 2"),
        (lambda _: "only", ["--threshold-drives", "only"], 6, "left to fit"),
        (lambda i: "a" if i < 30 else None, [], 2, "got none for 10, first "),
        (lambda i: "a" if i < 30 else "", [], 2, "expected a drive for every frame"),
        (lambda _: None, [], 2, f"got none for {COUNT}, first "),
    ],
    ids=["one drive", "two drives", "none to fit", "some without", "some empty", "all without"],
)
@pytest.mark.parametrize("command", [export, calibrate], ids=["export", "calibrate"])
def test_commands_with_too_few_drives_or_frames_without_one_say_so_in_one_line(
    drive_of: Callable[[int], str | None],
    options: list[str],
    code: int,
    message: str,
    command: object,
    network: Path,
    recording: Path,
    monitor: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drives, out = table(tmp_path / "drives.csv", recording, drive_of), tmp_path / "out"
    if command is export:
        got = export.main([*export_words(network, recording, drives, out), *options])
    else:
        words = [str(monitor), "--frames", str(recording), "--group-by", str(drives), "--false-alarm-rate", "0.2"]
        got = calibrate.main([*words, "--out", str(out), *options])
    printed = capsys.readouterr()
    assert got == code
    (line,) = [line for line in printed.err.splitlines() if ": error:" in line]
    assert message in line
    assert "Traceback" not in printed.err + printed.out
    assert not out.exists()
