# SPDX-License-Identifier: Apache-2.0
"""The verdict on a requirement, from its figures, its limit and its tests."""

from collections.abc import Sequence

from export.evidence.claims import CRITERIA, Criterion, EvidenceFigure, EvidenceTest, Side, Verdict


def meets(figure: EvidenceFigure, limit: float, side: Side, criterion: Criterion) -> bool | None:
    """Whether a figure meets a limit; None where that cannot be told, since the figure or its interval is not known.

    Args:
        figure: with or without an interval.
        limit: in the unit of the figure.
        side: on which of the limit it has to be.
        criterion: what of the figure has to be there, see :data:`export.evidence.claims.CRITERIA`.
    """
    nearer, farther = (figure.low, figure.high) if side == "at most" else (figure.high, figure.low)
    value = {"estimate": figure.value, "interval": nearer, "bound": farther}[criterion]
    if value is None:
        return None
    return value <= limit if side == "at most" else value >= limit


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
    found = [(figure, meets(figure, limit, side, criterion)) for figure in judged]
    missing = [figure.name for figure, met in found if met is False]
    if missing:
        return "not supported", f"Not {side} the limit: {', '.join(missing)}."
    unknown = [figure for figure, met in found if met is None]
    if unknown:
        what = (
            "value"
            if criterion == "estimate" or unknown[0].value is None
            else "interval, which takes ten drives or more"
        )
        return "not measured", f"Without {what}: {', '.join(figure.name for figure in unknown)}."
    return "supported", f"{_count(judged, 'figure')} {'is' if len(judged) == 1 else 'are'} {side} the limit."


def rule_words(limit: float, side: Side, criterion: Criterion) -> str:
    """How figures have to meet a limit, in words."""
    return f"{side} {limit:.4g} by {CRITERIA[criterion]}"


def _by_tests(tests: Sequence[EvidenceTest]) -> tuple[Verdict, str]:
    if not tests:
        return "not measured", "It was not measured."
    left = [test.node_id for test in tests if test.outcome != "passed"]
    if left:
        return "not measured", f"Of {_count(tests, 'test')} {len(left)} {'was' if len(left) == 1 else 'were'} not run."
    return "supported", f"{_count(tests, 'test')} passed."


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
