# SPDX-License-Identifier: Apache-2.0
"""Every row is judged once, by rows that share neither its drive nor its kind."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.answers.left_out import drive_folds, left_out_drives, left_out_kinds
from tests.export.answers.drawn_rows import KINDS, draw_rows, with_own


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 5), st.integers(1, 3))
def test_left_out_kinds_judges_every_row_once_without_its_drive_and_kind(
    seed: int, drives: int, folds: int, kinds: int
) -> None:
    rows = draw_rows(seed, drives, 2, KINDS[:kinds])
    judged = np.zeros(len(rows), np.int64)
    for split in left_out_kinds(drive_folds(rows, folds, seed), rows.kind):
        judged += split.judged
        assert set(rows.drive[split.fitted]).isdisjoint(rows.drive[split.judged])
        degraded = set(rows.kind[split.judged]) - {"none"}
        assert degraded == ({split.kind} if split.kind is not None and split.judged.any() else set())
        assert degraded.isdisjoint(rows.kind[split.fitted])
    assert (judged == 1).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 5))
def test_left_out_drives_judges_every_row_once_without_its_drive(seed: int, drives: int, folds: int) -> None:
    rows = draw_rows(seed, drives, 2)
    splits = list(left_out_drives(drive_folds(rows, folds, seed)))
    assert (np.sum([split.judged for split in splits], axis=0) == 1).all()
    for split in splits:
        assert (split.fitted == ~split.judged).all()
        assert set(rows.drive[split.fitted]).isdisjoint(rows.drive[split.judged])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 12))
def test_drive_folds_of_a_single_drive_are_contiguous_blocks_of_whole_frames(seed: int, frames: int) -> None:
    rows = draw_rows(seed, 1, frames)
    order = np.random.default_rng(seed).permutation(len(rows))
    rows = replace(rows, frame=rows.frame[order], drive=rows.drive[order])
    fold = drive_folds(rows, 4, seed)
    of_frame = [set(fold[rows.frame == frame]) for frame in range(frames)]
    assert all(len(folds) == 1 for folds in of_frame)
    numbers = [folds.pop() for folds in of_frame]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 5))
def test_left_out_drives_with_a_kind_of_a_users_own_fit_on_some_of_its_frames_each_time(
    seed: int, drives: int, folders: int
) -> None:
    rows = with_own(draw_rows(seed, drives, 3), "mud", folders)
    fold = drive_folds(rows, 8, seed)
    np.testing.assert_array_equal(fold[~rows.own], drive_folds(rows.chosen(~rows.own), 8, seed))
    for split in left_out_drives(fold):
        assert rows.own[split.fitted].any()
        if folders > 1:
            assert set(rows.drive[split.fitted]).isdisjoint(rows.drive[split.judged])
