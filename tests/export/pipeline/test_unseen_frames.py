# SPDX-License-Identifier: Apache-2.0
"""Frames by which the shipped detector is compared are not those that it was fitted on."""

from pathlib import Path

import numpy as np

from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.frames.files import FrameFiles
from export.pipeline.unseen_frames import unseen_frames

RATES = {"half": 0.5}


def test_unseen_frames_after_a_cross_fit_are_mirrored(frames: Path) -> None:
    files = FrameFiles([frames])
    shown = list(unseen_frames(files, split_frames(files.paths, CalibrationOptions(rates=RATES)), 3))
    for frame, i in zip(shown, (0, 30, 59), strict=True):
        np.testing.assert_array_equal(frame, files[i][:, ::-1])
        assert frame.flags.c_contiguous


def test_unseen_frames_of_threshold_drives_are_these_as_they_are(frames: Path, tmp_path: Path) -> None:
    files = FrameFiles([frames])
    table = tmp_path / "drives.csv"
    table.write_text("frame,drive\n" + "".join(f"{path},{'ab'[i >= 50]}\n" for i, path in enumerate(files.paths)))
    options = CalibrationOptions(rates=RATES, group_by=str(table), threshold_drives=("b",))
    shown = list(unseen_frames(files, split_frames(files.paths, options), 20))
    assert len(shown) == 10
    np.testing.assert_array_equal(shown[0], files[50])
