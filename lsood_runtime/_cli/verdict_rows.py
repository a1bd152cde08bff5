# SPDX-License-Identifier: Apache-2.0
"""Read the rows that ``lsood score`` and ``watch`` wrote, one by one, from CSV, JSON lines, Parquet or MCAP."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lsood_runtime._exceptions import MediaError, missing_extra, one_line
from lsood_runtime._fleet.frame_facts import ROW_COLUMNS, FrameFacts
from lsood_runtime._text.json_values import parse_json
from lsood_runtime._text.whole_lines import whole_lines

_ROWS_AT_ONCE = 4096
_VERDICT = "lsood.Verdict"


def read_verdicts(path: Path) -> Iterator[FrameFacts]:
    """The facts of every row of a file, in its order.

    Args:
        path: ends in ``.csv``, ``.jsonl``, ``.parquet`` or ``.mcap``.

    Raises:
        MediaError: another suffix, a file that cannot be read or is cut off, a row that the runtime did not write, or a
            package that is missing; the message names the file and the row.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise MediaError(
            f"expected rows in a file that ends in {', '.join(_READERS)}, got {path}: pass what lsood score or watch wrote "
            "as its output"
        )
    done = 0
    try:
        for row in read(path):
            facts = FrameFacts.of_row(row)
            done += 1
            yield facts
    except MediaError:
        raise
    except Exception as error:  # of csv, json, pyarrow or mcap, each with errors of its own
        words = (error.strerror if isinstance(error, OSError) else None) or one_line(error).rstrip(".")
        place = f"row {done + 1} of {path}" if type(error) is ValueError else str(path)
        raise MediaError(
            f"expected rows of verdicts, got {place}: {words or type(error).__name__}; pass a whole file that lsood score or "
            "watch wrote"
        ) from error


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(whole_lines(file), strict=True)
        names = next(lines, [])
        for values in lines:
            if len(values) != len(names):
                raise ValueError(f"expected {len(names)} values, got {len(values)}")
            yield dict(zip(names, values, strict=True))


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield _object(line)


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise missing_extra("reading Parquet", "fleet") from error
    with ParquetFile(path) as file:
        columns = [name for name in file.schema_arrow.names if name in ROW_COLUMNS]
        for group in range(file.num_row_groups):  # one by one: read in one go, pyarrow holds all that it has passed
            for block in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=columns):
                yield from block.to_pylist()


def _mcap_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from mcap.reader import make_reader
    except ImportError as error:
        raise missing_extra("reading MCAP", "replay") from error
    with path.open("rb") as file:
        for schema, _, message in make_reader(file).iter_messages():
            if schema is not None and schema.name == _VERDICT:
                yield _object(message.data)


def _object(text: str | bytes) -> Mapping[str, Any]:
    try:
        row = parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg})") from error
    if not isinstance(row, dict):
        raise ValueError("expected a JSON object")
    return row


_READERS: dict[str, Callable[[Path], Iterator[Mapping[str, Any]]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
    ".mcap": _mcap_rows,
}
