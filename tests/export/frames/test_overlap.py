# SPDX-License-Identifier: Apache-2.0
"""Calibration frames that look like training frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from export.data import SyntheticRoads
from export.errors import UsageError
from export.frames.files import FrameFiles, read_frame
from export.frames.overlap import check_overlap, overlap_share, overlap_warning, thumbnails
from export.reporter import SILENT
from tests.conftest import CAMVID, write_scenes

OTHERS = (("val", "0016E5"), ("train", "0001TP"), ("train", "0006R0"))


def drive(seed: int, count: int = 12, steps: int = 3) -> list[NDArray[np.uint8]]:
    """Scenes, each shifted a little from frame to frame as a slow camera sees them."""
    scenes = SyntheticRoads(count, 80, 160, seed=seed)
    return [np.roll(scenes[i][0], 4 * step, axis=1) for i in range(count) for step in range(steps)]


def test_thumbnails_of_a_frame_agree_with_numpy() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    cells = frame.reshape(16, 4, 16, 6, 3).mean(axis=(1, 3)).mean(axis=2).ravel()
    cells -= cells.mean()
    np.testing.assert_allclose(thumbnails([frame])[0], cells / np.linalg.norm(cells), atol=2e-2)
    assert not thumbnails([np.full((40, 60, 3), 7, np.uint8)]).any()


def test_overlap_share_of_the_same_drive_is_high_and_of_another_low() -> None:
    calibration = thumbnails(drive(1))
    rng = np.random.default_rng(0)
    noisy = [np.clip(frame + rng.normal(0, 8, frame.shape), 0, 255).astype(np.uint8) for frame in drive(1)]
    brighter = [cv2.convertScaleAbs(frame, alpha=1.1, beta=5) for frame in drive(1)]
    assert overlap_share(calibration, thumbnails(noisy)) > 0.9
    assert overlap_share(calibration, thumbnails(brighter)) > 0.9
    assert overlap_share(calibration, thumbnails(drive(2))) < 0.2
    assert overlap_share(calibration[:1], calibration) == 0
    assert overlap_share(calibration, calibration[:0]) == 0


def test_overlap_warning_of_a_high_share_says_what_to_expect() -> None:
    warning = overlap_warning(0.62)
    assert warning is not None
    assert warning.startswith("62% of the calibration frames")
    assert overlap_warning(0.1) is None


def test_check_overlap_with_a_drive_of_the_training_set_names_it(tmp_path: Path) -> None:
    known = write_scenes(tmp_path / "known", 6, seed=3)
    for path in known.iterdir():
        path.rename(known / f"a_{path.name}")
    new = write_scenes(tmp_path / "new", 6, seed=4)
    for i, path in enumerate(sorted(new.iterdir())):
        path.rename(new / f"{'ab'[i % 2]}_{path.name}")

    def warnings(rule: str, *train: Path) -> list[str]:
        return check_overlap(FrameFiles([new]), train, rule, SILENT)

    (warning,) = warnings("prefix", known)
    assert warning.startswith("the network was trained on frames of a:")
    assert warnings("none", known) == warnings("folder", known) == warnings("prefix") == []
    assert [text[:4] for text in warnings("none", new)] == ["100%"]
    with pytest.raises(UsageError, match="features do not show"):
        check_overlap(None, [known], "none", SILENT)


@pytest.mark.camvid
@pytest.mark.skipif(not CAMVID.is_dir(), reason="CamVid is not beside the project")
def test_overlap_share_of_camvid_is_largest_within_a_drive() -> None:
    def of(split: str, name: str) -> NDArray[np.float32]:
        return thumbnails(read_frame(path) for path in sorted((CAMVID / split).glob(f"{name}*.jpg")))

    training = of("train", "0016E5")
    share = {name: overlap_share(of(split, name), training) for split, name in OTHERS}
    assert share["0016E5"] > max(share["0001TP"], share["0006R0"])
    assert overlap_warning(share["0001TP"]) is None
    assert overlap_warning(share["0006R0"]) is None
