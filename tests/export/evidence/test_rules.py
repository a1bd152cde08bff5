# SPDX-License-Identifier: Apache-2.0
"""Verdicts on random figures are those of the rule written out again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.evidence.claims import Criterion, EvidenceFigure, EvidenceTest, Side, TestOutcome
from export.evidence.rules import judge, meets
from tests.export.evidence.drawn_figures import SHARES, intervals

SIDES = st.sampled_from(["at most", "at least"])
CRITERIA = st.sampled_from(["estimate", "interval", "bound"])
OUTCOMES: st.SearchStrategy[list[TestOutcome]] = st.lists(st.sampled_from(["passed", "failed", "not run"]), max_size=3)


def figure_of(ends: list[float | None], judged: bool = True) -> EvidenceFigure:
    value, low, high = ends
    return EvidenceFigure("a figure", "report/figures.json", "/a", value, low, high, judged=judged)


def holds(ends: list[float | None], limit: float, side: Side, criterion: Criterion) -> bool | None:
    """With every number turned over for a lower limit, so that a single rule remains."""
    sign = 1.0 if side == "at most" else -1.0
    value, *two = ends
    numbers = [sign * number for number in two if number is not None]
    if criterion == "estimate":
        return None if value is None else sign * value <= sign * limit
    if not numbers:
        return None
    return (min(numbers) if criterion == "interval" else max(numbers)) <= sign * limit


@given(intervals(), SHARES, SIDES, CRITERIA)
def test_meets_of_any_figure_is_the_rule_written_out_again(
    ends: list[float | None], limit: float, side: Side, criterion: Criterion
) -> None:
    assert meets(figure_of(ends), limit, side, criterion) == holds(ends, limit, side, criterion)


@given(intervals(), SHARES, SIDES)
def test_stricter_criteria_never_support_what_milder_ones_refute(
    ends: list[float | None], limit: float, side: Side
) -> None:
    bound, estimate, interval = (
        meets(figure_of(ends), limit, side, criterion) for criterion in ("bound", "estimate", "interval")
    )
    assert not bound or estimate
    assert not (estimate and interval is False)


@given(st.lists(st.tuples(intervals(), st.booleans()), max_size=4), OUTCOMES, st.none() | SHARES, SIDES, CRITERIA)
def test_verdict_of_any_figures_and_tests_is_the_rule_written_out_again(
    drawn: list[tuple[list[float | None], bool]],
    outcomes: list[TestOutcome],
    limit: float | None,
    side: Side,
    criterion: Criterion,
) -> None:
    tests = [EvidenceTest(f"tests/test_a.py::test_{i}", outcome) for i, outcome in enumerate(outcomes)]
    verdict, reason = judge([figure_of(*each) for each in drawn], tests, limit, side, criterion)

    counted = [ends for ends, judged in drawn if judged]
    met = [None if limit is None else holds(ends, limit, side, criterion) for ends in counted]
    refuted = "failed" in outcomes or False in met
    shown = all(met) if counted else bool(outcomes) and set(outcomes) == {"passed"}
    assert verdict == ("not supported" if refuted else "supported" if shown else "not measured")
    assert reason.endswith(".")


@pytest.mark.parametrize("criterion", ["estimate", "interval", "bound"])
def test_verdict_without_a_value_is_not_measured(criterion: Criterion) -> None:
    verdict, reason = judge([figure_of([None, None, None])], [], 0.5, "at most", criterion)
    assert (verdict, reason) == ("not measured", "Without value: a figure.")


def test_verdict_without_an_interval_says_what_one_takes() -> None:
    verdict, reason = judge([figure_of([0.1, None, None])], [], 0.5, "at most", "bound")
    assert (verdict, reason) == ("not measured", "Without interval, which takes ten drives or more: a figure.")
