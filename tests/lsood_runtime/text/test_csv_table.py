# SPDX-License-Identifier: Apache-2.0
"""Comma-separated values: they come back, and no column is lost in silence."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime._text.csv_table import CsvTable

NAMES = st.lists(st.text("abc, \"'\n", min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


@given(names=NAMES, numbers=st.lists(st.floats(allow_nan=False), max_size=5))
def test_csv_table_any_names_and_numbers_come_back(names: list[str], numbers: list[float]) -> None:
    out = io.StringIO()
    table = CsvTable(out, names)
    for number in numbers:
        table.write(dict.fromkeys(reversed(names), number))
    read = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [list(row) for row in read] == [names] * len(numbers)
    assert [{float(value) for value in row.values()} for row in read] == [{number} for number in numbers]


def test_csv_table_without_columns_takes_those_of_the_first_row() -> None:
    out = io.StringIO()
    table = CsvTable(out)
    assert out.getvalue() == ""
    table.write({"b": 1, "a": None})
    table.write({"a": True, "b": "x,y"})
    assert out.getvalue() == 'b,a\n1,\n"x,y",True\n'


def test_csv_table_row_without_a_column_is_refused() -> None:
    with pytest.raises(KeyError, match="b"):
        CsvTable(io.StringIO(), ["a", "b"]).write({"a": 1})
