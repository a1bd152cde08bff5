# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to the terminal: as a table, as CSV, as JSON."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from textwrap import indent

from lsood_runtime._answers import ANSWER_FIELDS, answer_words
from lsood_runtime._assessment import Assessment, State
from lsood_runtime._cli.verdict_row import Row, in_columns, without_parts
from lsood_runtime._text.csv_table import CsvTable, Text

_NO_COLUMNS = {"segmentation", "parts", "features", *ANSWER_FIELDS}
_COLUMNS = tuple(field.name for field in dataclasses.fields(Assessment) if field.name not in _NO_COLUMNS)
Verdicts = Iterable[tuple[str, Assessment]]

_ANSWERS_WIDTH = 72
"""Of the answers in the table, where anything comes behind them."""

_WORDS = {
    State.OK: "ok",
    State.OUT_OF_DISTRIBUTION: "OUT OF DISTRIBUTION",
    State.INVALID: "INVALID",
    State.LATE: "LATE",
    State.LOW_QUALITY: "LOW QUALITY",
}


def write_table(verdicts: Verdicts, out: Text, name_width: int, *, parts: bool, answers: bool = False) -> None:
    """Write a line for each frame as its verdict comes, with the faulty tiles of its picture at the end.

    Args:
        verdicts: by the frame's name.
        out: what to write to.
        name_width: of the longest frame name to come.
        parts: follow each line with the parts of its score, the largest first.
        answers: put the answers beside the score before them.
    """
    row = f"{{:<{name_width}}}  {{:>10}}  {{:>10}}  {{:>7}}  {{:<19}}  {{:>8}}{{}}{{}}\n"
    more = f"  {'answers':<{_ANSWERS_WIDTH * parts}}" if answers else ""
    out.write(row.format("frame", "score", "threshold", "p-value", "verdict", "ms", more, "  parts" if parts else ""))
    for name, verdict in verdicts:
        score, threshold, p_value = f"{verdict.score:.3f}", f"{verdict.threshold:.3f}", f"{verdict.p_value:.4f}"
        words, latency = _WORDS[verdict.state], f"{verdict.latency_ms:.1f}"
        end = (_part_words(verdict) if parts else "") + (f"  {verdict.tile_faults}" if verdict.tile_faults else "")
        more = f"  {answer_words(verdict):<{_ANSWERS_WIDTH * parts}}" if answers else ""
        out.write(row.format(name, score, threshold, p_value, words, latency, more, end))


def write_csv(verdicts: Verdicts, out: Text, parts: Sequence[str], answers: Sequence[str] = ()) -> None:
    """Write a header and a line for each frame, numbers to the last digit; one that is not finite stays empty.

    Args:
        verdicts: by the frame's name.
        out: what to write to.
        parts: names of those that get a column.
        answers: names of the answers beside the score, a column each.
    """
    table = CsvTable(out, ["frame", *_COLUMNS, *answers, *(f"parts.{part}" for part in parts)])
    for name, verdict in verdicts:
        table.write({"frame": name, **in_columns(verdict.asdict())})


def write_json(verdicts: Verdicts, out: Text, *, parts: bool) -> None:
    """Write one list of objects, each as its verdict comes, with the parts of the score or without.

    Whatever ends the verdicts after the first one, the list is closed, so that it can be read.
    """
    begun = False
    try:
        for name, verdict in verdicts:
            row: Row = {"frame": name, **verdict.asdict()}
            text = json.dumps(row if parts else without_parts(row), indent=1, allow_nan=False)
            out.write((",\n" if begun else "[\n") + indent(text, " "))
            begun = True
    finally:
        if begun:
            out.write("\n]\n")
    if not begun:
        out.write("[]\n")


def _part_words(verdict: Assessment) -> str:
    ranked = sorted(verdict.parts.items(), key=lambda part: (math.isfinite(part[1]), -part[1]))
    return "  " + ("; ".join(f"{name} {share:.3f}" for name, share in ranked) or "-")
