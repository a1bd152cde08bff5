# SPDX-License-Identifier: Apache-2.0
"""The fleet's scores over Ray where it is installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import FrameSelector, LsoodError, MediaError, OoDMonitor
from tests.examples.loading import load_example
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.parts_bundle import write_parts_bundle
from tests.paths import EXAMPLES


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "monitor"
    folder.mkdir()
    write_parts_bundle(folder)
    return folder


def write_drives(folder: Path) -> list[Path]:
    drives = [folder / "monday", folder / "tuesday"]
    for seed, drive in enumerate(drives):
        drive.mkdir()
        for i, frame in enumerate(random_frames(3, seed)):
            Image.fromarray(frame).save(drive / f"{i}.png")
    (drives[1] / "9.png").write_bytes(b"no picture")
    return drives


def test_ray_scorer_of_a_batch_scores_as_the_monitor(toy: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    module = load_example("ray_score")
    drives = write_drives(tmp_path)
    images = module.find_images(drives)
    table = module.Scorer(str(toy), "cpu", 1)({"path": np.array([row["path"] for row in images])})
    columns = table.to_pydict()
    with OoDMonitor(toy) as monitor:
        expected = [monitor.score(frame) for seed in range(2) for frame in random_frames(3, seed)]
    assert columns["score"] == [*expected, None]
    assert columns["drive"] == ["monday"] * 3 + ["tuesday"] * 4
    assert columns["state"][-1] == "invalid"
    assert "9.png" in columns["reason"][-1]
    parquet.write_table(table, tmp_path / "rows.parquet")
    selector = FrameSelector(6, per_drive=6, min_distance=0.0)
    selector.read(tmp_path / "rows.parquet")
    picked = {(pick.frame, pick.drive) for pick in selector.select().picks}
    assert picked == {(row["path"], Path(row["path"]).parent.name) for row in images[:-1]}
    with pytest.raises(MediaError, match="found none"):
        module.find_images([tmp_path / "wednesday"])
    with pytest.raises(LsoodError):
        module.Scorer(str(tmp_path), "cpu", 1)


@pytest.mark.timeout(900)
def test_ray_score_over_two_actors_equals_one(toy: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is large and not among the development packages")
    import pyarrow.parquet

    drives, out = write_drives(tmp_path), tmp_path / "scores"
    command = [sys.executable, str(EXAMPLES / "ray_score.py"), str(toy), *map(str, drives), "--out", str(out)]
    done = subprocess.run([*command, "--actors", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "7 frames of 2 drives" in done.stdout
    rows = {row["frame"]: row["score"] for row in pyarrow.parquet.read_table(out).to_pylist()}
    with OoDMonitor(toy) as monitor:
        for path in sorted(drives[0].iterdir()):
            with Image.open(path) as picture:
                assert rows[str(path)] == monitor.score(np.asarray(picture))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "expected a new folder" in again.stderr
