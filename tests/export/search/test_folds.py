# SPDX-License-Identifier: Apache-2.0
"""Two folds of the frames."""

import numpy as np
import pytest

from export.search.folds import two_folds


@pytest.mark.parametrize("drives", ["x" * 10, "a" * 6 + "b" * 3 + "c" * 2 + "d"])
def test_two_folds_are_whole_drives_or_halves_of_one(drives: str) -> None:
    first, second = two_folds(list(drives))
    assert sorted([*first, *second]) == list(range(len(drives)))
    names = {drives[i] for i in first}, {drives[i] for i in second}
    assert names[0] == names[1] == {"x"} or not names[0] & names[1]
    assert abs(len(first) - len(second)) <= 1


def test_two_folds_of_one_drive_are_contiguous() -> None:
    first, second = two_folds(["x"] * 7)
    np.testing.assert_array_equal(np.concatenate([first, second]), np.arange(7))
