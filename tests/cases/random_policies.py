# SPDX-License-Identifier: Apache-2.0
"""Policies of random numbers."""

from hypothesis import strategies as st

from lsood_runtime import Cusum, Hysteresis, KOfN, MinimumDuration

_P_VALUES = st.floats(0, 1, exclude_min=True, exclude_max=True)
_SECONDS = st.floats(0, 1e9)
_POSITIVE = st.floats(0, 1e150, exclude_min=True)
_WINDOWS = st.tuples(st.integers(1, 1_000_000), st.integers(1, 1_000_000)).map(sorted)
_LIMITS = st.tuples(_P_VALUES, _P_VALUES).map(sorted).filter(lambda limits: limits[0] < limits[1])

POLICIES = (
    _WINDOWS.map(lambda window: KOfN(*window))
    | _LIMITS.map(lambda limits: Hysteresis(*limits))
    | _SECONDS.map(lambda seconds: MinimumDuration(seconds, seconds))
    | st.builds(MinimumDuration, _SECONDS, _SECONDS)
    | st.builds(Cusum, _POSITIVE, _POSITIVE)
)
