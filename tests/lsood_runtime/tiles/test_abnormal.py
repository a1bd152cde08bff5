# SPDX-License-Identifier: Apache-2.0
"""Abnormal tiles grow from those above the limit, as SciPy's regions do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import label

from lsood_runtime._tiles.abnormal import abnormal_tiles

DISTANCES = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 3))
)


@given(DISTANCES, st.floats(0.1, 1), st.floats(1, 2))
def test_abnormal_tiles_are_the_regions_above_the_lower_limit_that_hold_one_above_the_limit(
    distances: NDArray[np.float64], lower: float, limit: float
) -> None:
    regions, _ = label(distances > lower, structure=np.ones((3, 3)))
    held = set(regions[distances > limit].tolist())
    np.testing.assert_array_equal(abnormal_tiles(distances, limit, lower), np.isin(regions, list(held)) & (regions > 0))
