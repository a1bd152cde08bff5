# SPDX-License-Identifier: Apache-2.0
"""An evaluation with masks of a bundle that was exported with a map, against scikit-learn on the monitor's own maps."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from export.cli import evaluate as command
from export.frames.files import FrameFiles
from lsood_runtime import OoDMonitor

ExportSmall = Callable[..., Path]


@pytest.fixture
def things(drives: Path, tmp_path: Path) -> Path:
    """Frames of a drive with a bright square on each, with masks; the border of a square is void."""
    for name in ("frames", "masks"):
        (tmp_path / name).mkdir()
    random = np.random.default_rng(3)
    for path in sorted(drives.glob("d_*.png"))[:6]:
        frame = np.array(Image.open(path))
        height, width, _ = frame.shape
        mask = np.zeros((height, width), np.uint8)
        top, left = int(random.integers(4, height // 2)), int(random.integers(4, width // 2))
        size = min(height, width) // 4
        mask[top - 2 : top + size + 2, left - 2 : left + size + 2] = 9
        mask[top : top + size, left : left + size] = 2
        frame[mask == 2] = random.integers(0, 256, (size * size, 3))
        Image.fromarray(frame).save(tmp_path / "frames" / f"thing_{path.name}")
        Image.fromarray(mask).save(tmp_path / "masks" / f"thing_{path.name}")
    return tmp_path


def test_evaluate_with_masks_has_the_figures_of_the_maps_that_the_monitor_gives(
    answered: Path,
    drives: Path,
    things: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [
        str(answered),
        "--ind",
        str(drives / "a_*.png"),
        "--ood",
        f"things={things / 'frames'}",
        "--synthetic",
        "none",
    ]
    words += ["--masks", str(things / "masks"), "--unknown-mask", "2", "--void-mask", "9"]
    assert command.main([*words, "--json", "--report", str(things / "report")]) == 0
    got = json.loads(capsys.readouterr().out)
    kinds, values = [], []
    with OoDMonitor(answered) as monitor:
        record = monitor.manifest.answers.map  # type: ignore[union-attr]
        for path, frame in zip(sorted((things / "frames").iterdir()), FrameFiles((things / "frames",)), strict=True):
            verdict = monitor.assess(np.array(frame))
            assert verdict.anomaly_map is not None
            mask = np.asarray(Image.open(things / "masks" / path.name))
            stride = mask.shape[0] // record.rows  # type: ignore[union-attr]
            spread = np.repeat(np.repeat(verdict.anomaly_map, stride, axis=0), stride, axis=1)
            kinds.append(mask[mask != 9] == 2)
            values.append(spread[mask != 9])
        counts = [monitor.assess(np.array(frame)).object_count for frame in FrameFiles((drives,))]
    (figures,) = got["masks"]
    kind, value = np.concatenate(kinds), np.concatenate(values)
    assert (figures["set"], figures["frames"], figures["objects"]) == ("things", 6, 6)
    assert figures["unknown_share"] == pytest.approx(kind.mean())
    assert figures["average_precision"] == pytest.approx(average_precision_score(kind, value), abs=2e-3)
    assert figures["auroc"] == pytest.approx(roc_auc_score(kind, value), abs=2e-3)
    share = got["ind_frames_with_objects"][0]
    assert share == pytest.approx(np.mean([bool(count) for count in counts[:12]]))
    assert "Where is the unknown" in (things / "report" / "index.html").read_text()
