# SPDX-License-Identifier: Apache-2.0
"""Frames in memory behave as the same frames in files: order, drives, those that come twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.errors import UsageError
from export.frames.arrays import FrameArrays
from export.frames.files import FrameFiles
from export.frames.repeated import read_each_once
from export.reporter import SILENT


def random_frames(seed: int, count: int = 6, size: tuple[int, int] = (9, 14)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_frames_in_memory_are_seen_as_those_in_files(seed: int, tmp_path: Path) -> None:
    frames = random_frames(seed)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    files, arrays = FrameFiles([tmp_path]), FrameArrays(frames)
    of_files, of_arrays = read_each_once(files, SILENT), read_each_once(arrays, SILENT)
    assert of_arrays.digests == of_files.digests
    np.testing.assert_array_equal(of_arrays.grey, of_files.grey)
    np.testing.assert_array_equal(np.array(list(arrays)), np.array(list(files)))
    assert (len(arrays), arrays.shape) == (len(files), files.shape)


@pytest.mark.parametrize("held", [list, tuple, torch.from_numpy, lambda frames: frames[:, ::-1, ::-1]])
def test_frames_of_every_kind_of_sequence_are_copies(held: Any) -> None:
    frames = random_frames(3)
    given = held(frames)
    arrays = FrameArrays(given, channels="bgr")
    np.testing.assert_array_equal(arrays[4], np.asarray(given[4]))
    assert arrays.channels == "bgr"
    assert arrays[4].flags.c_contiguous
    arrays[4][:] = 0
    np.testing.assert_array_equal(frames, random_frames(3))


def test_frame_that_comes_twice_is_named_by_its_place() -> None:
    frames = random_frames(5)
    frames[4] = frames[1]
    with pytest.raises(UsageError, match=r"1 of 6 again: frames\[4\] has the pixels of frames\[1\]; drop"):
        read_each_once(FrameArrays(frames), SILENT)


def test_frames_of_named_drives_are_split_by_them() -> None:
    drives = ["town 2", "a_b", "town 2", "coast", "a_b", "coast"]
    arrays = FrameArrays(random_frames(6), drives)
    options = CalibrationOptions(group_by="folder", rates={"half": 0.5})
    assert list(split_frames(arrays.paths, options).drives) == drives


@pytest.mark.parametrize(
    ("frames", "drives", "message"),
    [
        (random_frames(1)[:0], None, "expected one or more frames, got none"),
        (
            random_frames(1) / 255,
            None,
            r"\(H, W, 3\) uint8 at frames\[0\], got \(9, 14, 3\) float64: give the pictures",
        ),
        (random_frames(1).transpose(0, 3, 1, 2), None, r"uint8 at frames\[0\], got \(3, 9, 14\) uint8"),
        (random_frames(1)[0], None, r"uint8 at frames\[0\], got \(14, 3\) uint8"),
        ([(random_frames(1)[0], 5)], None, r"array at frames\[0\], got tuple: give the frames alone"),
        (["a.png", 7], None, r"uint8 at frames\[0\], got \(\) <U5"),
        (random_frames(1), ["a"] * 5, "the drive of each of 6 frames, got 5 names"),
        (random_frames(1), ["a/b"] * 6, "names of drives without a slash, got 'a/b'"),
        (random_frames(1), [""] * 6, "names of drives without a slash, got ''"),
    ],
)
def test_what_is_no_sequence_of_frames_is_refused(frames: Any, drives: Sequence[str] | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FrameArrays(frames, drives)


def test_frame_of_another_size_is_named_by_its_place() -> None:
    frames = FrameArrays([*random_frames(1), *random_frames(2, size=(9, 15))])
    with pytest.raises(UsageError, match=r"9 x 14 \(height x width\) as in frames\[0\], got 9 x 15 in frames\[7\]"):
        frames[7]
