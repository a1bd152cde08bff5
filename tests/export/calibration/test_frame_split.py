# SPDX-License-Identifier: Apache-2.0
"""Roles of the calibration frames: all of them in turn, or named drives apart."""

from pathlib import Path

import numpy as np
import pytest

from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.errors import CalibrationError, UsageError

PATHS = [Path(f"{name}_{i}.png") for i, name in enumerate("aabbbccccd" * 4)]
BY_DRIVE = CalibrationOptions(rates={"10%": 0.1}, group_by="prefix")


def test_split_frames_by_default_scores_and_fits_every_frame() -> None:
    split = split_frames(PATHS, BY_DRIVE)
    np.testing.assert_array_equal(split.scored, np.arange(40))
    np.testing.assert_array_equal(split.fitted, np.arange(40))
    assert split.folds == 4
    assert len(set(split.names(split.left_out))) == 1, "whole drives"
    assert "4 folds of 4 whole drives, dealt at random; then fitted on all" in split.sentence


def test_split_frames_with_threshold_drives_keeps_them_out_of_the_fit() -> None:
    split = split_frames(PATHS, CalibrationOptions(rates={"10%": 0.1}, group_by="prefix", threshold_drives=("b", "d")))
    assert set(split.names(split.scored)) == {"b", "d"}
    assert set(split.names(split.fitted)) == {"a", "c"}
    np.testing.assert_array_equal(split.left_out, split.scored)
    assert split.folds == 0
    assert split.sentence == "16 of 40 frames, whole drives that fitted nothing: b, d"


def test_split_frames_of_many_threshold_drives_names_a_few() -> None:
    paths = [Path(f"{i:02d}_{j}.png") for i in range(30) for j in range(2)]
    drives = tuple(f"{i:02d}" for i in range(20))
    split = split_frames(paths, CalibrationOptions(group_by="prefix", threshold_drives=drives))
    assert split.sentence.endswith("00, 01, 02, 03, 04, 05, 06, 07 and 12 more")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CalibrationOptions(group_by="prefix", rates={"1%": 0.01}), "at least 99 frames .* got 40: add 59"),
        (CalibrationOptions(group_by="prefix", guarantee="drives"), "at least 19 drives .* got 4: add 15"),
        (
            CalibrationOptions(group_by="prefix", guarantee="drives", rates={"h": 0.3}, threshold_drives=("a", "b")),
            "at least 3 drives .* got 2: add 1",
        ),
        (CalibrationOptions(guarantee="drives", rates={"h": 0.5}), "at least 2 drives .* got 1: add 1"),
        (CalibrationOptions(group_by="prefix", threshold_drives=("a", "b", "c", "d")), "left to fit"),
    ],
)
def test_split_frames_of_too_few_frames_or_drives_is_refused_with_numbers(
    options: CalibrationOptions, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        split_frames(PATHS, options)


def test_split_frames_of_a_single_fold_is_refused() -> None:
    with pytest.raises(UsageError, match="--folds of at least 2, got 1"):
        split_frames(PATHS, CalibrationOptions(group_by="prefix", rates={"10%": 0.1}, folds=1))
