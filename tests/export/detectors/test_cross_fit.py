# SPDX-License-Identifier: Apache-2.0
"""Folds of whole drives, dealt at random, and of one drive in blocks."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.detectors.cross_fit import deal_folds, fold_numbers
from export.errors import CalibrationError


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=80), st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_deal_folds_of_any_drives_gives_each_frame_once_and_no_drive_twice(
    drives: list[int], folds: int, seed: int
) -> None:
    names = [f"d{drive}" for drive in drives]
    dealt = deal_folds(names, folds, seed)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(names)))
    if len(set(names)) > 1:
        of_fold = [{names[i] for i in fold} for fold in dealt]
        assert sum(map(len, of_fold)) == len(set(names)), "no drive is in two folds"
        sizes = [len(inside) for inside in of_fold]
        assert max(sizes) - min(sizes) <= 1
        assert len(dealt) == min(folds, len(set(names)))
    else:
        assert all((np.diff(fold) == 1).all() for fold in dealt)


def test_deal_folds_by_another_seed_deals_otherwise_and_never_by_size() -> None:
    sizes = [1, 1, 2, 3, 5, 8, 13, 21]
    drives = [f"d{i}" for i, size in enumerate(sizes) for _ in range(size)]
    first = [tuple(map(len, deal_folds(drives, 4, seed))) for seed in range(200)]
    assert len(set(first)) > 20
    with_largest = [max(fold) for fold in first]
    assert min(with_largest) == 22, "the two largest drives do not share a fold by design"
    assert max(with_largest) == 34, "nor are they kept apart"


@pytest.mark.parametrize(("drives", "folds"), [(["a"], 5), (["a", "b"], 1)])
def test_deal_folds_of_one_frame_or_one_fold_is_refused(drives: list[str], folds: int) -> None:
    with pytest.raises(ValueError, match="2 or more folds"):
        deal_folds(drives, folds)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=30),
    folds=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_fold_numbers_of_several_drives_deals_them_whole_and_evenly(sizes: list[int], folds: int, seed: int) -> None:
    drives = [f"{i}" for i, size in enumerate(sizes) for _ in range(size)]
    fold = fold_numbers(drives, folds, seed)
    of_drive = {name: {int(k) for k, drive in zip(fold, drives, strict=True) if drive == name} for name in drives}
    assert all(len(found) == 1 for found in of_drive.values()), "a drive lies in one fold"
    counts = Counter(k for found in of_drive.values() for k in found)
    assert set(counts) == set(range(min(folds, len(sizes))))
    assert max(counts.values()) - min(counts.values()) <= 1
    np.testing.assert_array_equal(fold, fold_numbers(drives, folds, seed))


def test_fold_numbers_of_unequal_drives_pairs_small_and_large_by_lot() -> None:
    """Folds that went by size would always leave the two small drives out together, or never."""
    drives = ["a"] + ["b"] + ["c"] * 50 + ["d"] * 50
    together = sum(fold_numbers(drives, 2, seed)[0] == fold_numbers(drives, 2, seed)[1] for seed in range(300))
    assert 60 < together < 140  # one in three


@given(st.integers(2, 200), st.integers(2, 12))
def test_fold_numbers_of_one_drive_are_contiguous_blocks(count: int, folds: int) -> None:
    fold = fold_numbers(["x"] * count, folds)
    assert set(fold) == set(range(min(folds, count)))
    assert (np.diff(fold) >= 0).all()
    assert np.ptp(np.bincount(fold)) <= 1


def test_fold_numbers_of_one_frame_is_refused() -> None:
    with pytest.raises(CalibrationError, match="at least 2 frames to leave some out, got 1"):
        fold_numbers(["x"], 5)
