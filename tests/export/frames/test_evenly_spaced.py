# SPDX-License-Identifier: Apache-2.0
"""Evenly spaced frames are distinct, as many as asked for, and hold both ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.frames.evenly_spaced import evenly_spaced


def test_evenly_spaced_of_many_indices_is_even_and_of_few_all_of_them() -> None:
    np.testing.assert_array_equal(evenly_spaced(np.arange(10, 20), 20), np.arange(10, 20))
    np.testing.assert_array_equal(evenly_spaced(np.arange(0, 100, 10), 4), [0, 30, 60, 90])


@given(st.integers(0, 400), st.integers(2, 100))
def test_evenly_spaced_indices_are_distinct_with_both_ends_and_gaps_that_differ_by_one_at_most(
    size: int, count: int
) -> None:
    chosen = evenly_spaced(np.arange(size), count)
    assert len(chosen) == min(size, count)
    gaps = np.diff(chosen)
    if size > 1:
        assert (chosen[0], chosen[-1]) == (0, size - 1)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
