# SPDX-License-Identifier: Apache-2.0
"""Sizes and constants of a checkpoint, in every form in which projects write them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.errors import UsageError
from export.pipeline.hyper_parameters import known_input_size, known_triple

SIZES = st.integers(5, 5000)


@given(SIZES, SIZES, st.sampled_from([1, 3, 4]))
def test_known_input_size_in_any_form_is_rows_and_columns(height: int, width: int, channels: int) -> None:
    forms: list[object] = [
        (height, width),
        [height, width],
        f"{height}x{width}",
        f"{height} x {width}",
        f"{height},{width}",
        [channels, height, width],
        (height, width, channels),
        [1, channels, height, width],
        [float(height), float(width)],
        np.array([height, width]),
        torch.tensor([channels, height, width]),
        torch.Size([height, width]),
    ]
    assert [known_input_size({"input_size": form}) for form in forms] == [(height, width)] * len(forms)


@given(SIZES)
def test_known_input_size_of_one_number_is_a_square(length: int) -> None:
    for form in (length, str(length), [length], float(length), np.int64(length), torch.tensor(length)):
        assert known_input_size({"input_size": form}) == (length, length)


@pytest.mark.parametrize(
    "value",
    [
        "large",
        "",
        "3x360x480",
        [360.5, 480],
        [2, 360, 480],
        [],
        [1, 2, 3, 4, 5],
        True,
        {"h": 3},
        [None, 480],
        b"5",
        float("nan"),
    ],
)
def test_known_input_size_of_another_form_asks_for_the_flag(value: object) -> None:
    with pytest.raises(UsageError, match="give --input-size H W"):
        known_input_size({"input_size": value})


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_known_triple_in_any_form_is_three_numbers(red: float, green: float, blue: float) -> None:
    forms: list[object] = [(red, green, blue), [red, green, blue], np.array([red, green, blue])]
    assert [known_triple({"mean": form}, "mean") for form in forms] == [(red, green, blue)] * len(forms)
    for scalar in (red, [red], np.float64(red)):
        assert known_triple({"std": scalar}, "std") == (red, red, red)


@pytest.mark.parametrize(
    "value", [[0.5, 0.5], "0.5", True, [0.5, "x", 0.5], [[0.5], [0.5], [0.5]], [0.5, float("inf"), 0.5]]
)
def test_known_triple_of_another_form_asks_for_the_flag(value: object) -> None:
    with pytest.raises(UsageError, match="give --mean R G B"):
        known_triple({"mean": value}, "mean")


def test_known_constants_that_are_not_stated_are_none() -> None:
    assert (known_input_size({}), known_triple({"mean": None}, "mean")) == (None, None)
