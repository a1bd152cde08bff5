# SPDX-License-Identifier: Apache-2.0
"""Verdicts are those that one would write down by hand, and on random figures those of every number of the interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.evidence.claims import Criterion, EvidenceFigure, EvidenceTest, Side, TestOutcome, Verdict
from export.evidence.rules import judge, judge_figure
from tests.export.evidence.drawn_figures import SHARES, intervals

SIDES = st.sampled_from(["at most", "at least"])
CRITERIA = st.sampled_from(["estimate", "interval", "bound"])
OUTCOMES: st.SearchStrategy[list[TestOutcome]] = st.lists(st.sampled_from(["passed", "failed", "not run"]), max_size=3)

Ends = tuple[float | None, float | None, float | None]


def figure_of(ends: Ends | list[float | None], judged: bool = True) -> EvidenceFigure:
    value, low, high = ends
    return EvidenceFigure("a figure", "report/figures.json", "/a", value, low, high, judged=judged)


@pytest.mark.parametrize(
    ("ends", "side", "limit", "by_estimate", "by_interval", "by_bound"),
    [
        # false alarms of a monitor that declares 5 %
        ((0.20, 0.04, 0.60), "at most", 0.05, "not supported", "inconclusive", "not supported"),
        ((0.20, 0.12, 0.30), "at most", 0.05, "not supported", "not supported", "not supported"),
        ((0.04, 0.01, 0.09), "at most", 0.05, "supported", "inconclusive", "not supported"),
        ((0.02, 0.01, 0.04), "at most", 0.05, "supported", "supported", "supported"),
        ((0.00, 0.00, 0.05), "at most", 0.05, "supported", "supported", "supported"),
        ((0.07, 0.05, 0.09), "at most", 0.05, "not supported", "inconclusive", "not supported"),
        ((0.02, None, None), "at most", 0.05, "supported", "not measured", "not measured"),
        ((None, None, None), "at most", 0.05, "not measured", "not measured", "not measured"),
        # coverage of an answer that promises 90 %
        ((0.80, 0.50, 0.95), "at least", 0.90, "not supported", "inconclusive", "not supported"),
        ((0.80, 0.75, 0.85), "at least", 0.90, "not supported", "not supported", "not supported"),
        ((0.93, 0.85, 0.97), "at least", 0.90, "supported", "inconclusive", "not supported"),
        ((0.95, 0.92, 0.97), "at least", 0.90, "supported", "supported", "supported"),
        ((0.95, 0.90, 0.97), "at least", 0.90, "supported", "supported", "supported"),
    ],
)
def test_verdict_on_a_figure_is_what_a_safety_engineer_writes_down(
    ends: Ends, side: Side, limit: float, by_estimate: Verdict, by_interval: Verdict, by_bound: Verdict
) -> None:
    expected: dict[Criterion, Verdict] = {"estimate": by_estimate, "interval": by_interval, "bound": by_bound}
    found = {criterion: judge([figure_of(ends)], [], limit, side, criterion)[0] for criterion in expected}
    assert found == expected


def verdict_over_points(ends: list[float | None], limit: float, side: Side, criterion: Criterion) -> Verdict:
    """By every fortieth that lies in the interval, where the ends and the limit are fortieths too."""
    value, low, high = ends
    if value is None or (criterion != "estimate" and low is None):
        return "not measured"
    keeps = {k / 40 for k in range(41) if (k / 40 <= limit if side == "at most" else k / 40 >= limit)}
    if criterion == "estimate" or low is None or high is None:
        points = {value}
    else:
        points = {k / 40 for k in range(41) if low <= k / 40 <= high}
    if points <= keeps:
        return "supported"
    return "inconclusive" if criterion == "interval" and points & keeps else "not supported"


@given(intervals(), SHARES, SIDES, CRITERIA)
def test_verdict_on_any_figure_is_that_of_every_point_of_its_interval(
    ends: list[float | None], limit: float, side: Side, criterion: Criterion
) -> None:
    expected = verdict_over_points(ends, limit, side, criterion)
    assert judge_figure(figure_of(ends), limit, side, criterion) == expected


@given(intervals(), SHARES, SIDES, SHARES, SHARES)
def test_wider_interval_never_supports_what_a_narrower_one_did_not(
    ends: list[float | None], limit: float, side: Side, below: float, above: float
) -> None:
    value, low, high = ends
    wider: Ends = (value, None if low is None else low - below, None if high is None else high + above)
    for criterion in ("interval", "bound"):
        if judge_figure(figure_of(wider), limit, side, criterion) == "supported":
            assert judge_figure(figure_of(ends), limit, side, criterion) == "supported"


@given(st.lists(st.tuples(intervals(), st.booleans()), max_size=4), OUTCOMES, st.none() | SHARES, SIDES, CRITERIA)
def test_verdict_of_any_figures_and_tests_is_that_of_the_worst_of_them(
    drawn: list[tuple[list[float | None], bool]],
    outcomes: list[TestOutcome],
    limit: float | None,
    side: Side,
    criterion: Criterion,
) -> None:
    tests = [EvidenceTest(f"tests/test_a.py::test_{i}", outcome) for i, outcome in enumerate(outcomes)]
    verdict, reason = judge([figure_of(*each) for each in drawn], tests, limit, side, criterion)

    counted = [ends for ends, judged in drawn if judged]
    found: set[Verdict] = {
        "not measured" if limit is None else verdict_over_points(ends, limit, side, criterion) for ends in counted
    }
    if not counted:
        found = {"supported" if outcomes and set(outcomes) == {"passed"} else "not measured"}
    order: tuple[Verdict, ...] = ("not supported", "not measured", "inconclusive", "supported")
    assert verdict == ("not supported" if "failed" in outcomes else next(each for each in order if each in found))
    assert reason.endswith(".")


@pytest.mark.parametrize("criterion", ["estimate", "interval", "bound"])
def test_verdict_without_a_value_is_not_measured(criterion: Criterion) -> None:
    verdict, reason = judge([figure_of([None, None, None])], [], 0.5, "at most", criterion)
    assert (verdict, reason) == ("not measured", "Without value: a figure.")


@pytest.mark.parametrize(
    ("ends", "criterion", "reason"),
    [
        ((0.1, None, None), "bound", "Without interval, which takes ten drives or more: a figure."),
        ((0.1, None, None), "estimate", "1 figure is at most the limit."),
        ((0.1, 0.1, 0.2), "interval", "1 figure is at most the limit, with its whole 95 % interval."),
        ((0.6, 0.4, 0.7), "interval", "The 95 % interval contains the limit, more drives make it narrower: a figure."),
        ((0.6, 0.55, 0.7), "interval", "On the other side of the limit with the whole 95 % interval: a figure."),
        ((0.4, 0.3, 0.7), "bound", "Not at most the limit with the whole 95 % interval: a figure."),
    ],
)
def test_reason_of_a_verdict_says_what_holds(ends: Ends, criterion: Criterion, reason: str) -> None:
    assert judge([figure_of(ends)], [], 0.5, "at most", criterion)[1] == reason
