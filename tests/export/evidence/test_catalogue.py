# SPDX-License-Identifier: Apache-2.0
"""Every claim of the catalogue links to a figure or a test that there is, and is told in full."""

import ast
import re
from functools import cache

import pytest

from export.evidence.judge_claims import STATEMENTS
from export.evidence.requirement import Requirement
from export.evidence.requirements import REQUIREMENTS, requirement_of_shift
from export.evidence.statement import Statement
from export.evidence.topics import STANDARDS, TOPICS
from tests.documentation.pages import Page
from tests.paths import ROOT

ROWS: tuple[Requirement | Statement, ...] = (*REQUIREMENTS, requirement_of_shift("R-DET-FOG", "fog"), *STATEMENTS)
PREFIXES = {"assumption": "AoU", "limit": "L", "hazard": "H"}
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the tests of a file."""
    module = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef))


@cache
def headings(path: str) -> frozenset[str]:
    """Headings of a page, as they are read."""
    found = re.findall(r"^#+ (.+?)(?: \{#[\w-]+\})?$", Page(path).prose, flags=re.MULTILINE)
    return frozenset(found)


@rows
def test_row_links_to_a_figure_or_a_test(row: Requirement | Statement) -> None:
    if isinstance(row, Requirement):
        assert row.tests, "what is not measured yet is shown by a test alone"
        assert row.remedy or row.tests or row.id == "R-INT-1", "what is not measured needs a command"
    else:
        assert row.shown or row.tests
        assert row.integrator.endswith(".")


@rows
def test_row_is_told_in_full(row: Requirement | Statement) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z' ,:0-9-]+.*\.", row.statement, flags=re.DOTALL)
    assert row.topics
    assert set(row.topics) <= set(TOPICS)
    prefix = "R" if isinstance(row, Requirement) else PREFIXES[row.kind]
    assert re.fullmatch(rf"{prefix}-[A-Z]+(-[0-9A-Z]+)?", row.id)


@rows
def test_tests_and_pages_of_a_row_are_there(row: Requirement | Statement) -> None:
    for node_id in row.tests:
        path, name = node_id.split("::")
        assert name in names_in(path), node_id
    for page in getattr(row, "pages", ()):
        path, heading = page.split("#", 1)
        assert heading in headings(path), page


def test_ids_of_the_catalogue_are_unlike_each_other() -> None:
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids))
    assert {row.id for row in REQUIREMENTS if row.id.startswith("R-DET-")} == set(), "these are of shifts"


def test_every_topic_of_every_standard_is_served() -> None:
    served = {topic for row in ROWS for topic in row.topics}
    assert served == set(TOPICS)
    assert {topic.standard for topic in TOPICS.values()} == set(STANDARDS)


def test_kinds_of_hazards_that_were_asked_for_are_in_the_catalogue() -> None:
    told = " ".join(row.statement.lower() for row in STATEMENTS if row.kind == "hazard")
    asked = (
        "errs on a frame like those",
        "deceive",
        "time stamps",
        "like the road",
        "smaller",
        "slowly",
        "labels",
        "leaked",
    )
    assert [word for word in asked if word not in told] == []
