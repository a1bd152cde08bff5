# SPDX-License-Identifier: Apache-2.0
"""A frame that comes twice is refused whatever it is called; a parked camera's frames are told from those of a drive."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from export.calibration.autocorrelation import effective_frames
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.frames.repeated import (
    check_sets_apart,
    copies,
    copies_of,
    copies_warning,
    read_each_once,
    shared_warning,
    still_frames,
    still_warning,
)
from export.reporter import SILENT
from tests.conftest import write_scenes


def copied(source: Path, other: Path) -> None:
    shutil.copy(source, other)


def linked(source: Path, other: Path) -> None:
    other.symlink_to(source)


def hard_linked(source: Path, other: Path) -> None:
    other.hardlink_to(source)


def encoded_anew(source: Path, other: Path) -> None:
    with Image.open(source) as image:
        image.save(other.with_suffix(".bmp"))


def compressed_anew(source: Path, other: Path) -> None:
    with Image.open(source) as image:
        image.save(other, compress_level=1)


@pytest.mark.parametrize(
    "again", [copied, linked, hard_linked, encoded_anew, compressed_anew], ids=lambda again: str(again.__name__)
)
def test_read_each_once_frames_under_other_names_are_refused_by_name_and_number(
    tmp_path: Path, again: Callable[[Path, Path], None], request: pytest.FixtureRequest
) -> None:
    folder = write_scenes(tmp_path / "drive", 8, seed=3)
    paths = sorted(folder.iterdir())
    chosen = random.Random(request.node.name).sample(paths, 2)
    for path in chosen:
        again(path, folder / f"z{path.name}")
    with pytest.raises(UsageError, match="expected each frame once, got 2 of 10 again: ") as caught:
        read_each_once(FrameFiles([folder]), SILENT)
    for path in chosen:
        assert f"/z{path.stem}" in str(caught.value)
        assert f" {path}" in str(caught.value)


def test_read_each_once_a_folder_named_three_times_is_refused(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "drive", 5, seed=3)
    (tmp_path / "link").symlink_to(folder)
    for sources in ([folder] * 3, [folder, tmp_path / "link"], [folder, folder / ".." / "drive"]):
        more = 5 * (len(sources) - 1)
        with pytest.raises(
            UsageError, match=rf"got {more} of {more + 5} again: .*0000.png is .*0000.png, .*; drop all"
        ):
            read_each_once(FrameFiles(sources), SILENT)


def test_read_each_once_different_frames_give_their_digests_in_order(tmp_path: Path) -> None:
    files = FrameFiles([write_scenes(tmp_path / "drive", 70, seed=3)])
    seen = read_each_once(files, SILENT)
    assert len(set(seen.digests)) == len(files)
    for i in (0, 33, 69):
        small = cv2.resize(files[i], (16, 16), interpolation=cv2.INTER_AREA).mean(axis=2)
        np.testing.assert_allclose(seen.grey[i], small.ravel(), atol=1e-3)


def test_check_sets_apart_of_a_frame_in_both_names_it(tmp_path: Path) -> None:
    one, two = (write_scenes(tmp_path / name, 6, seed=seed) for name, seed in (("one", 1), ("two", 2)))
    seen = read_each_once(FrameFiles([one]), SILENT)
    check_sets_apart(seen, read_each_once(FrameFiles([two]), SILENT), ("in distribution", "fog"))
    shutil.copy(one / "0003.png", two / "new.png")
    with pytest.raises(
        UsageError, match=r"frames as fog than in distribution, got 1 of 7 .*: new.png has the pixels of 0003"
    ):
        check_sets_apart(seen, read_each_once(FrameFiles([two]), SILENT), ("in distribution", "fog"))


def squares(pictures: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(N, 256)`` of ``(N, H, W)`` grey pictures, by a mean over equal squares."""
    count, height, width = pictures.shape
    means: NDArray[np.float32] = (
        pictures.reshape(count, 16, height // 16, 16, width // 16)
        .mean(axis=(2, 4))
        .reshape(count, 256)
        .astype(np.float32)
    )
    return means


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 4.0), st.integers(2, 30))
def test_still_frames_of_a_parked_camera_with_noise_are_all_but_the_first(seed: int, noise: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    scene = rng.uniform(20, 235, size=(192, 256))
    pictures = scene + noise * rng.normal(size=(count, 192, 256))
    still = still_frames(squares(pictures), ["parked"] * count)
    assert still.tolist() == [False] + [True] * (count - 1)
    worth = effective_frames(rng.normal(size=count), ["parked"] * count, still)
    assert worth == 1
    assert still_warning(still) is not None


def test_still_frames_of_a_slow_drive_are_few_and_belong_to_their_drive() -> None:
    rng = np.random.default_rng(0)
    road = cv2.GaussianBlur(rng.uniform(0, 255, size=(192, 2000)), (0, 0), 8)
    moving = np.stack([road[:, 4 * i : 4 * i + 256] for i in range(100)])
    assert not still_frames(squares(moving), ["a"] * 100).any()
    slow = np.stack([road[:, i // 40 : i // 40 + 256] for i in range(400)])
    still = still_frames(squares(slow), ["a"] * 400)
    assert 0.5 < still.mean() < 1, "slow motion adds up"
    two = still_frames(squares(moving[[0, 1, 0, 1]]), ["a", "b", "a", "b"])
    assert two.tolist() == [False, False, True, True]
    assert still_warning(np.zeros(3, bool)) is None


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 90), noise=st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.1, 1.4, 3.0]))
def test_copies_are_those_that_a_comparison_of_all_pairs_finds(seed: int, count: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.uniform(0, 255, (count, 256))
    again = frames[rng.integers(0, count, count // 2)]
    grey = np.concatenate([frames, again + rng.normal(size=again.shape) * noise]).astype(np.float32)
    still = rng.random(len(grey)) < 0.1
    drives = rng.integers(0, 2, len(grey)).astype(str).tolist()
    first = copies(grey, still, drives)

    def level(i: int, j: int) -> float:
        return 0.5 if drives[i] == drives[j] and i - j <= 60 else 1.25

    for i in range(len(grey)):
        near = [
            j
            for j in range(i)
            if not still[j] and np.sqrt(np.mean((grey[i].astype(float) - grey[j]) ** 2)) < level(i, j)
        ]
        assert first[i] == (near[0] if near and not still[i] else -1)


def test_copies_in_another_format_are_warned_of_and_named(tmp_path: Path) -> None:
    originals = write_scenes(tmp_path / "png", 6, seed=1, size=(192, 384))
    (tmp_path / "jpeg").mkdir()
    for path in sorted(originals.iterdir()):
        Image.open(path).convert("RGB").save(tmp_path / "jpeg" / f"{path.stem}.jpg", quality=95)
    files = FrameFiles([tmp_path / "png", tmp_path / "jpeg"])
    seen = read_each_once(files, SILENT)
    drives = ["all"] * len(files)
    found = copies(seen.grey, still_frames(seen.grey, drives), drives)
    assert found.tolist() == [-1] * 6 + list(range(6))
    warning = copies_warning(found, seen.paths, "they count twice")
    assert warning is not None
    assert warning.startswith("6 of 12 frames show nearly the same picture as a frame elsewhere in the set")
    assert f"such as {tmp_path / 'jpeg' / '0000.jpg'} as {tmp_path / 'png' / '0000.png'}" in warning
    assert warning.endswith("if they are copies, they count twice; take them out")
    assert copies_warning(np.full(3, -1), seen.paths[:3], "") is None


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_shared_warning_names_frames_that_were_encoded_again_and_no_others(quality: int, tmp_path: Path) -> None:
    """Pictures of two sets, of which the second has JPEG copies of some of the first.

    On the frames of IDD-lite (1574 of 320 x 227) copies at quality 20 lie at most 1.20 apart, at 10 up to 2.1; its two
    nearest different frames 1.68, the next two 6.8. CamVid's, by which the level was not chosen, lie 2.04 apart or more.
    """
    first = write_scenes(tmp_path / "first", 8, seed=1, size=(192, 384))
    second = write_scenes(tmp_path / "second", 8, seed=2, size=(192, 384))
    known, before = (read_each_once(FrameFiles([folder]), SILENT) for folder in (first, second))
    assert shared_warning(known, before, ("ind", "fog")) is None
    copied = sorted(first.iterdir())[2:5]
    for path in copied:
        Image.open(path).convert("RGB").save(second / f"z{path.stem}.jpg", quality=quality)
    seen = read_each_once(FrameFiles([second]), SILENT)
    assert copies_of(known.grey, seen.grey).tolist() == [-1] * 8 + [2, 3, 4]
    warning = shared_warning(known, seen, ("ind", "fog"))
    assert warning is not None
    assert warning.startswith("3 of 11 frames of fog show nearly the same picture as one of ind, such as ")
    assert f"{second / 'z0002.jpg'} as {first / '0002.png'}" in warning
    assert warning.endswith("take them out of one")
