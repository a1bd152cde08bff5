# SPDX-License-Identifier: Apache-2.0
"""The verdict on a requirement, from its figures, its limit and its tests."""

from collections.abc import Sequence

from export.evidence.claims import CRITERIA, Criterion, EvidenceFigure, EvidenceTest, Side, Verdict

_MISSED: dict[Criterion, str] = {
    "estimate": "Not {side} the limit",
    "interval": "On the other side of the limit with the whole 95 % interval",
    "bound": "Not {side} the limit with the whole 95 % interval",
}
"""What is said of figures that do not meet their limit, by the criterion."""


def judge_figure(figure: EvidenceFigure, limit: float, side: Side, criterion: Criterion) -> Verdict:
    """The verdict on one figure; it is not measured where its value, or the interval that it takes, is not known.

    Args:
        figure: with or without an interval.
        limit: in the unit of the figure.
        side: on which of the limit it has to be.
        criterion: what of the figure has to be there, see :data:`export.evidence.claims.CRITERIA`.
    """
    nearer, farther = (figure.low, figure.high) if side == "at most" else (figure.high, figure.low)
    value = figure.value if criterion == "estimate" else farther
    if value is None or (nearer is None and criterion != "estimate"):
        return "not measured"
    if _is_within(value, limit, side):
        return "supported"
    if criterion == "interval" and nearer is not None and _is_within(nearer, limit, side):
        return "inconclusive"
    return "not supported"


def judge(
    figures: Sequence[EvidenceFigure],
    tests: Sequence[EvidenceTest],
    limit: float | None,
    side: Side,
    criterion: Criterion,
) -> tuple[Verdict, str]:
    """The verdict, and a sentence that says why.

    A test that failed, or a figure that misses the limit, refutes a requirement. What rests on figures needs all of them;
    what rests on tests alone needs that each was run and passed.
    """
    failed = [test.node_id for test in tests if test.outcome == "failed"]
    if failed:
        return "not supported", f"{_count(failed, 'test')} failed: {', '.join(failed)}."
    judged = [figure for figure in figures if figure.judged]
    if not judged:
        return _by_tests(tests)
    if limit is None:
        return "not measured", "No limit is set, and the bundle declares none."
    found = {figure: judge_figure(figure, limit, side, criterion) for figure in judged}
    missing = [figure for figure in judged if found[figure] == "not supported"]
    if missing:
        return "not supported", f"{_MISSED[criterion].format(side=side)}: {_names(missing)}."
    unknown = [figure for figure in judged if found[figure] == "not measured"]
    if unknown:
        what = (
            "value"
            if criterion == "estimate" or unknown[0].value is None
            else "interval, which takes ten drives or more"
        )
        return "not measured", f"Without {what}: {_names(unknown)}."
    between = [figure for figure in judged if found[figure] == "inconclusive"]
    if between:
        return "inconclusive", f"The 95 % interval contains the limit, more drives make it narrower: {_names(between)}."
    what = "" if criterion == "estimate" else f", with {'its' if len(judged) == 1 else 'their'} whole 95 % interval"
    return "supported", f"{_count(judged, 'figure')} {'is' if len(judged) == 1 else 'are'} {side} the limit{what}."


def rule_words(limit: float, side: Side, criterion: Criterion) -> str:
    """How figures have to meet a limit, in words."""
    return f"{side} {limit:.4g} by {CRITERIA[criterion]}"


def _is_within(value: float, limit: float, side: Side) -> bool:
    return value <= limit if side == "at most" else value >= limit


def _names(figures: Sequence[EvidenceFigure]) -> str:
    return ", ".join(figure.name for figure in figures)


def _by_tests(tests: Sequence[EvidenceTest]) -> tuple[Verdict, str]:
    if not tests:
        return "not measured", "It was not measured."
    left = [test.node_id for test in tests if test.outcome != "passed"]
    if left:
        return "not measured", f"Of {_count(tests, 'test')} {len(left)} {'was' if len(left) == 1 else 'were'} not run."
    return "supported", f"{_count(tests, 'test')} passed."


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
