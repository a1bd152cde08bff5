# SPDX-License-Identifier: Apache-2.0
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from export.anomalies import SEVERITIES, Bytes, degrade, overlays
from export.data.synthetic import render_scene
from export.errors import UsageError


@pytest.fixture(scope="module")
def frame() -> Bytes:
    return render_scene(np.random.default_rng(3), 96, 192)[0]


def dirt(path: Path, colour: tuple[int, int, int], height: int = 96, width: int = 192) -> Image.Image:
    """Splash with soft edges in the left half, the right half clear; written to the path and returned."""
    alpha = np.zeros((height, width), dtype=np.float32)
    cv2.circle(alpha, (width // 4, height // 2), height // 4, 255, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), height / 32)
    alpha[:, width // 2 :] = 0
    rgba = np.dstack([np.full((height, width, 3), colour), alpha]).astype(np.uint8)
    picture = Image.fromarray(rgba)
    picture.save(path)
    return picture


def test_overlays_at_full_severity_equal_pillows_alpha_composite(tmp_path: Path, frame: Bytes) -> None:
    picture = dirt(tmp_path / "a.png", (90, 70, 50))
    straight = np.asarray(Image.alpha_composite(Image.fromarray(frame).convert("RGBA"), picture).convert("RGB"))
    turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored = np.asarray(Image.alpha_composite(Image.fromarray(frame).convert("RGBA"), turned).convert("RGB"))
    lay = overlays(tmp_path)
    seen = set()
    for seed in range(12):
        degraded = degrade(frame, lay, 5, seed).astype(int)
        off = [int(np.abs(degraded - expected).max()) for expected in (straight, mirrored)]
        assert min(off) <= 1
        seen.add(int(np.argmin(off)))
    assert seen == {0, 1}


def test_overlays_at_higher_severity_change_more_and_keep_clear_parts(tmp_path: Path, frame: Bytes) -> None:
    dirt(tmp_path / "a.PNG", (90, 70, 50), 300, 400)
    lay = overlays(str(tmp_path))
    changes = []
    for severity in SEVERITIES:
        changed = np.abs(degrade(frame, lay, severity, seed=2).astype(int) - frame)
        assert min(changed[:, :90].max(), changed[:, 102:].max()) == 0
        changes.append(changed.mean())
    assert changes[0] > 0.3
    assert (np.diff(changes) > 0).all()


def test_overlays_with_soft_edges_take_no_colour_from_clear_pixels(tmp_path: Path) -> None:
    rgba = np.zeros((64, 64, 4), dtype=np.uint8)
    rgba[..., :3] = (255, 0, 255)
    rgba[::2, ::2] = (0, 0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "dots.png")
    degraded = degrade(np.zeros((21, 21, 3), dtype=np.uint8), overlays(tmp_path), 5, seed=0)
    assert degraded.max() == 0


def test_overlays_with_a_seed_choose_a_picture_repeatably_and_pickle(tmp_path: Path, frame: Bytes) -> None:
    for name, colour in (("a.png", (200, 0, 0)), ("b.png", (0, 0, 200))):
        dirt(tmp_path / name, colour)
    lay = overlays(tmp_path)
    results = {degrade(frame, lay, 4, seed).tobytes() for seed in range(20)}
    assert len(results) == 4  # two pictures, each straight and mirrored
    copy = pickle.loads(pickle.dumps(lay))
    np.testing.assert_array_equal(degrade(frame, lay, 4, 7), degrade(frame, copy, 4, 7))


def test_overlays_of_a_larger_frame_change_the_same_places(tmp_path: Path, frame: Bytes) -> None:
    dirt(tmp_path / "a.png", (90, 70, 50), 250, 410)
    lay = overlays(tmp_path)
    large = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    shrunk = cv2.resize(degrade(large, lay, 4, 5), (192, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - degrade(frame, lay, 4, 5)).mean() < 1.0


def test_overlays_with_a_transparent_colour_use_it_as_alpha(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.putpixel((0, 0), 0)
    palette.save(tmp_path / "p.png", transparency=0)
    degraded = degrade(np.full((4, 4, 3), 200, dtype=np.uint8), overlays(tmp_path), 5, seed=0)
    assert sorted(map(tuple, degraded.reshape(-1, 3).tolist())) == [(9, 8, 7)] * 15 + [(200, 200, 200)]


def test_overlays_of_an_unusable_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder of PNG overlays, found none at .*missing"):
        overlays(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"expected PNG overlays in .*, found none"):
        overlays(tmp_path)


def test_overlays_of_an_unusable_file_are_refused(tmp_path: Path) -> None:
    dirt(tmp_path / "a.png", (1, 2, 3))
    bad = tmp_path / "b.png"
    Image.new("RGB", (8, 8)).save(bad)
    with pytest.raises(UsageError, match=r"expected an overlay with alpha, got mode RGB in .*b\.png"):
        overlays(tmp_path)
    Image.new("RGBA", (8, 8)).save(bad)
    with pytest.raises(UsageError, match=r"shows something, got alpha 0 throughout .*b\.png"):
        overlays(tmp_path)
    bad.write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(UsageError, match=r"could not read .*b\.png"):
        overlays(tmp_path)
