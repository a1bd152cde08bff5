# SPDX-License-Identifier: Apache-2.0
"""Columns are standardised by the clean frames, compressed, and finite where their features are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.answers.columns import fit_columns
from tests.export.answers.drawn_rows import WIDTHS, draw_rows


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1e3, 1e3), st.floats(1e-2, 1e2))
def test_columns_of_features_in_other_units_are_the_same(seed: int, offset: float, unit: float) -> None:
    rows = draw_rows(seed, 3, 4)
    clean = rows.kind == "none"
    values = {key: numbers.astype(np.float64) for key, numbers in rows.values.items()}
    moved = {key: unit * (numbers + offset) for key, numbers in values.items()}
    before, after = (fit_columns(each, tuple(WIDTHS), clean, 99) for each in (values, moved))
    free = after.scale > 1.001e-3 * np.abs(np.concatenate(list(moved.values()), axis=1)).max(axis=0)
    np.testing.assert_allclose(after(moved)[:, free], before(values)[:, free], rtol=1e-6, atol=1e-6)


def test_columns_of_clean_frames_lie_around_nought_with_a_spread_of_one() -> None:
    rows = draw_rows(0, 40, 10)
    clean = rows.kind == "none"
    columns = fit_columns(rows.values, tuple(WIDTHS), clean, 99)(rows.values)[clean]
    np.testing.assert_allclose(np.median(columns, axis=0), 0, atol=1e-9)
    low, high = np.sinh(np.quantile(columns, [0.16, 0.84], axis=0))
    np.testing.assert_allclose(high - low, 2, atol=0.05)


def test_columns_of_a_constant_feature_do_not_blow_its_rounding_up() -> None:
    rows = draw_rows(1)
    key = next(iter(WIDTHS))
    rows.values[key][:] = np.float32(0.1)
    rows.values[key][::2] = np.nextafter(np.float32(0.1), np.float32(1))
    columns = fit_columns(rows.values, (key,), rows.kind == "none", 99)
    assert np.abs(columns(rows.values)).max() < 1e-3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_columns_of_a_number_that_is_not_finite_are_nan_there_alone(value: float) -> None:
    rows = draw_rows(2)
    key = next(iter(WIDTHS))
    fitted = fit_columns(rows.values, (key,), rows.kind == "none", 99)
    rows.values[key][3, 5] = value
    missing = np.isnan(fitted(rows.values))
    assert missing[3, 5]
    assert missing.sum() == 1


@given(st.integers(1, 13))
def test_columns_of_wide_features_are_some_of_theirs_evenly_spaced(most: int) -> None:
    rows = draw_rows(3, 2, 2)
    clean = rows.kind == "none"
    every, some = (fit_columns(rows.values, tuple(WIDTHS), clean, number) for number in (99, most))
    assert some.widths == tuple(min(width, most) for width in WIDTHS.values())
    np.testing.assert_array_equal(some(rows.values), every(rows.values)[:, some.places])
