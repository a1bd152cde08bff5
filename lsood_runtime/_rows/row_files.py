# SPDX-License-Identifier: Apache-2.0
"""Read the rows that ``lsood score`` and ``watch`` wrote, from CSV, JSON lines, Parquet or MCAP, in bounded memory."""

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from lsood_runtime._exceptions import LsoodError, MediaError, missing_extra, reason_of
from lsood_runtime._plain_file import open_plain
from lsood_runtime._rows.row_block import FEATURES, ParquetBlock, RowBlock, RowsBlock
from lsood_runtime._text.json_values import parse_json
from lsood_runtime._text.whole_lines import whole_lines

ROWS_AT_ONCE = 2048
"""Rows of a block, at most."""

_VERDICT = "lsood.Verdict"

CheckColumns: TypeAlias = Callable[[Path, Collection[str]], object]
"""Refuses a file by its columns; of JSON lines it is called again wherever a row has others than the one before."""

_Row: TypeAlias = Mapping[str, Any]


def read_blocks(
    path: Path,
    columns: Collection[str],
    suffixes: Collection[str],
    check: CheckColumns = lambda _path, _columns: None,
) -> Iterator[RowBlock]:
    """Read the rows of a file in order.

    Args:
        path: as ``lsood score`` and ``lsood watch`` write it.
        columns: that are wanted; others may be there too, but are not read from Parquet.
        suffixes: that the file may have, among ``.csv``, ``.jsonl``, ``.parquet`` and ``.mcap``.
        check: of the file's columns, before the first row.

    Raises:
        MediaError: another suffix, or a package that is missing.
        Exception: the file cannot be read, is cut off, or holds what is no row; :func:`told_as_rows` turns it into one line.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise MediaError(
            f"expected rows in a file that ends in {' or '.join(suffixes)}, got {path}: pass what lsood score or watch wrote"
        )
    if suffix == ".parquet":
        yield from _read_parquet(path, columns, check)
    elif suffix == ".csv":
        yield from _read_csv(path, check)
    else:
        objects = _json_rows(path) if suffix == ".jsonl" else _mcap_rows(path)
        rows = _checked(objects, path, check)
        while block := list(islice(rows, ROWS_AT_ONCE)):
            yield RowsBlock(block, block[0])


@contextmanager
def told_as_rows(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the rows of a file into one line.

    Raises:
        MediaError: of the package's own errors, as they are; of others, with the file and the reason.
    """
    try:
        yield
    except LsoodError:
        raise
    except Exception as error:  # of csv, json, pyarrow or mcap, each with errors of its own
        reason = reason_of(error).rstrip(".") or type(error).__name__
        raise MediaError(
            f"expected rows of verdicts, got {path}: {reason}; pass a whole file that lsood score or watch wrote"
        ) from error


def _read_csv(path: Path, check: CheckColumns) -> Iterator[RowBlock]:
    with io.TextIOWrapper(open_plain(path), encoding="utf-8", newline="") as file:
        lines = csv.reader(whole_lines(file), strict=True)
        names = next(lines, [])
        check(path, names)
        done = 0
        while values := list(islice(lines, ROWS_AT_ONCE)):
            for number, row in enumerate(values, done + 1):
                if len(row) != len(names):
                    raise ValueError(f"row {number}: expected {len(names)} values, got {len(row)}")
            done += len(values)
            yield RowsBlock([dict(zip(names, row, strict=True)) for row in values], names)


def _json_rows(path: Path) -> Iterator[_Row]:
    with io.TextIOWrapper(open_plain(path), encoding="utf-8") as file:
        yield from map(_object, whole_lines(file))


def _mcap_rows(path: Path) -> Iterator[_Row]:
    try:
        from mcap.reader import make_reader
    except ImportError as error:
        raise missing_extra("reading MCAP", "replay") from error
    with open_plain(path) as file:
        for schema, _, message in make_reader(file).iter_messages():
            if schema is not None and schema.name == _VERDICT:
                yield _object(message.data)


def _checked(rows: Iterable[_Row], path: Path, check: CheckColumns) -> Iterator[_Row]:
    """Rows whose columns were checked; an error is told with the number of its row."""
    columns: Collection[str] | None = None
    done = 0
    try:
        for row in rows:
            if columns is None or row.keys() != columns:
                columns = row.keys()
                check(path, columns)
            done += 1
            yield row
    except ValueError as error:
        if type(error) is not ValueError:  # of the file, as a whole
            raise
        raise ValueError(f"row {done + 1}: {error}") from error


def _object(text: str | bytes) -> _Row:
    try:
        row = parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg})") from error
    if not isinstance(row, dict):
        raise ValueError("expected a JSON object")
    return row


def _read_parquet(path: Path, columns: Collection[str], check: CheckColumns) -> Iterator[RowBlock]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("reading Parquet", "replay") from error
    with open_plain(path) as opened, pyarrow.parquet.ParquetFile(opened) as file:
        names = file.schema_arrow.names
        check(path, names)
        wanted = [name for name in names if name in columns]
        if FEATURES in wanted:
            kind = file.schema_arrow.field(FEATURES).type
            if not (pyarrow.types.is_list(kind) or pyarrow.types.is_fixed_size_list(kind)):
                raise MediaError(f"expected lists of numbers as features, {path} has {kind}: score the frames again")
        for group in range(file.num_row_groups):  # one by one: read in one go, pyarrow holds all that it has passed
            for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=wanted):
                yield ParquetBlock(batch)
