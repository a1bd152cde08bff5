# SPDX-License-Identifier: Apache-2.0
"""Folds of whole drives, dealt at random, and of one drive in blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.detectors.cross_fit import deal_folds


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
