# SPDX-License-Identifier: Apache-2.0
"""Numbers that JSON does not have become null."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime._text.json_values import finite_or_none, finite_values


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_finite_or_none_finite_number_is_kept(number: float) -> None:
    assert finite_or_none(number) == number
    assert type(finite_or_none(np.float64(number))) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), None])
def test_finite_or_none_other_value_is_none(value: float | None) -> None:
    assert finite_or_none(value) is None


def test_finite_values_nested_numbers_are_json() -> None:
    values = {"a": math.nan, "b": (1.5, math.inf), "c": [[-math.inf]], "d": "nan", "e": True, "f": 3}
    cleaned = finite_values(values)
    assert json.loads(json.dumps(cleaned, allow_nan=False)) == {
        "a": None,
        "b": [1.5, None],
        "c": [[None]],
        "d": "nan",
        "e": True,
        "f": 3,
    }
