# SPDX-License-Identifier: Apache-2.0
"""The columns of a Parquet file of daily summaries, and the checks of what one holds."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from lsood_runtime._arguments import shown
from lsood_runtime._assessment import State
from lsood_runtime._fleet.daily_summary import DailySummary
from lsood_runtime._fleet.summary_counts import P_VALUE_EDGES, PLAIN_COUNTS, QUALITY_EDGES, SummaryCounts

_STATES = {f"state.{state.value}": state.value for state in State}
_MOST = 2**63 - 1


def summary_schema(arrow: Any) -> Any:
    """The schema, made with the module ``pyarrow``."""
    counts, text = arrow.int64(), arrow.string()
    span = arrow.struct([(name, counts) for name in ("since_ns", "first_ns", "last_ns")])
    fields = [
        *((name, text) for name in ("vehicle", "camera")),
        ("day", arrow.date32()),
        ("bundle", text),
        ("threshold", arrow.float64()),
        *((name, counts) for name in (*_STATES, *PLAIN_COUNTS)),
        ("p_values", arrow.list_(counts)),
        ("qualities", arrow.list_(counts)),
        ("causes", arrow.map_(text, counts)),
        ("alarm_spans", arrow.list_(span)),
    ]
    return arrow.schema([arrow.field(name, kind, nullable=False) for name, kind in fields])


def summary_row(summary: DailySummary) -> dict[str, Any]:
    """The values of a summary by their column; causes and alarms in order, so that equal summaries have equal rows."""
    counts = summary.counts
    row: dict[str, Any] = {name: getattr(summary, name) for name in ("vehicle", "camera", "day", "bundle", "threshold")}
    row |= {column: counts.states[state] for column, state in _STATES.items()}
    row |= {name: getattr(counts, name) for name in PLAIN_COUNTS}
    row |= {"p_values": counts.p_values, "qualities": counts.qualities, "causes": sorted(counts.causes.items())}
    spans = sorted(counts.alarm_spans.items())
    row["alarm_spans"] = [{"since_ns": since, "first_ns": first, "last_ns": last} for since, (first, last) in spans]
    return row


def summary_of_row(row: Mapping[str, Any]) -> DailySummary:
    """The summary of a row.

    Raises:
        ValueError: a value is none that a summary can have; the message names the column.
    """
    for name in ("vehicle", "camera", "bundle"):
        if not isinstance(row[name], str) or not row[name]:
            raise ValueError(f"expected a name as {name}, got {shown(row[name])}")
    if not isinstance(row["day"], date):
        raise ValueError(f"expected a date as day, got {shown(row['day'])}")
    counts = SummaryCounts(
        states={state: _count(row[column], column) for column, state in _STATES.items()},
        p_values=_bins(row["p_values"], "p_values", len(P_VALUE_EDGES)),
        qualities=_bins(row["qualities"], "qualities", len(QUALITY_EDGES)),
        causes={cause: _count(count, f"cause {cause}") for cause, count in row["causes"]},
        alarm_spans={each["since_ns"]: (each["first_ns"], each["last_ns"]) for each in row["alarm_spans"]},
        **{name: _count(row[name], name) for name in PLAIN_COUNTS},
    )
    _check_sums(counts)
    return DailySummary(row["vehicle"], row["camera"], row["day"], row["bundle"], float(row["threshold"]), counts)


def _check_sums(counts: SummaryCounts) -> None:
    valid, scored = counts.valid_frames, sum(counts.p_values)
    if scored != valid:
        raise ValueError(f"expected p-values of {valid} frames, got {scored}")
    for what, count in {
        "qualities": sum(counts.qualities) + counts.quality_unknown,
        "causes": sum(counts.causes.values()),
        "numbers of objects": counts.objects_known + counts.objects_unknown,
    }.items():
        if count > valid:
            raise ValueError(f"expected {what} of at most {valid} frames, got {count}")
    if not counts.object_frames <= min(counts.objects, counts.objects_known):
        raise ValueError(
            f"expected no more frames with objects than objects, nor than frames of which their number is known, got "
            f"{counts.object_frames} of {counts.objects} and {counts.objects_known}"
        )
    if not counts.alarms <= counts.alarm_frames <= counts.followed <= counts.frames:
        raise ValueError(
            f"expected no more alarms than frames with one, no more of these than were followed, got {counts.alarms} of "
            f"{counts.alarm_frames} of {counts.followed}"
        )
    if any(first > last for first, last in counts.alarm_spans.values()):
        raise ValueError("expected alarms that end after they begin, got one that does not")


def _bins(values: Any, name: str, count: int) -> list[int]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"expected {count} counts as {name}, got {shown(values)}")
    return [_count(value, name) for value in values]


def _count(value: Any, name: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"expected a count of at least 0 as {name}, got {shown(value)}")
    return value
