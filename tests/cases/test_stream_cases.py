# SPDX-License-Identifier: Apache-2.0
"""The table of streams, played by the Python runtime; ``tests/cpp/test_streams.py`` plays it with the C++ library."""

import json
from typing import Any

import pytest

from tests.cases.make_streams import TABLE, table_text
from tests.cases.python_stream import play
from tests.cases.stream_events import case_of
from tests.cases.stream_results import differing, expected_fields

CASES: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))


def test_table_of_streams_is_what_its_rules_make() -> None:
    assert TABLE.read_text(encoding="utf-8") == table_text(), "run python -m tests.cases.make_streams"


def test_table_of_streams_is_large_and_its_names_differ() -> None:
    names = {values["name"] for values in CASES}
    assert len(names) == len(CASES) >= 300


@pytest.mark.parametrize("part", range(8))
def test_python_stream_gives_what_the_table_expects(part: int) -> None:
    wrong = []
    for values in CASES[part::8]:
        case = case_of(values)
        for i, (expected, found) in enumerate(zip(case.expected, play(case), strict=True)):
            fields = expected_fields(expected)
            if different := differing(fields, {name: found.get(name) for name in fields}):
                wrong.append((case.name, i, different))
    assert not wrong, wrong[:5]
