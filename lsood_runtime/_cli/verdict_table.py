# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to the terminal: as a table, as CSV, as JSON."""

import dataclasses
import json
from collections.abc import Iterable
from typing import TextIO

from lsood_runtime._assessment import Assessment, State
from lsood_runtime._text.csv_table import CsvTable

_COLUMNS = tuple(field.name for field in dataclasses.fields(Assessment) if field.name != "segmentation")
Verdicts = Iterable[tuple[str, Assessment]]

_WORDS = {
    State.OK: "ok",
    State.OUT_OF_DISTRIBUTION: "OUT OF DISTRIBUTION",
    State.INVALID: "INVALID",
    State.LATE: "LATE",
}


def write_table(verdicts: Verdicts, out: TextIO, name_width: int) -> None:
    """Write a line for each frame as its verdict comes; ``name_width`` is that of the longest frame name to come."""
    row = f"{{:<{name_width}}}  {{:>10}}  {{:>10}}  {{:>7}}  {{:<19}}  {{:>8}}\n"
    out.write(row.format("frame", "score", "threshold", "p-value", "verdict", "ms"))
    for name, verdict in verdicts:
        score, threshold, p_value = f"{verdict.score:.3f}", f"{verdict.threshold:.3f}", f"{verdict.p_value:.4f}"
        out.write(row.format(name, score, threshold, p_value, _WORDS[verdict.state], f"{verdict.latency_ms:.1f}"))


def write_csv(verdicts: Verdicts, out: TextIO) -> None:
    """Write a header and a line for each frame, numbers to the last digit; one that is not finite stays empty."""
    table = CsvTable(out, ["frame", *_COLUMNS])
    for name, verdict in verdicts:
        table.write({"frame": name, **verdict.asdict()})


def write_json(verdicts: Verdicts, out: TextIO) -> None:
    """Write one list of objects once all frames have their verdict."""
    json.dump([{"frame": name, **verdict.asdict()} for name, verdict in verdicts], out, indent=1, allow_nan=False)
    out.write("\n")
