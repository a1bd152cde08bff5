# SPDX-License-Identifier: Apache-2.0
"""Read the rows that ``lsood score`` and ``watch`` wrote, from CSV, JSON lines, Parquet or MCAP, in bounded memory."""

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._plain_file import open_plain
from lsood_runtime._rows.no_rows import no_rows
from lsood_runtime._rows.row_block import FEATURES, ParquetBlock, RowBlock, RowsBlock
from lsood_runtime._text.json_values import parse_json
from lsood_runtime._text.whole_lines import whole_lines

ROWS_AT_ONCE = 2048
"""Rows of a block, at most."""

_VERDICT = "lsood.Verdict"

CheckColumns: TypeAlias = Callable[[Path, Collection[str]], object]
"""Refuses a file by its columns, by a ValueError or a MediaError.

Of JSON lines it is called again wherever a row has others than the one before.
"""

_Row: TypeAlias = Mapping[str, Any]
_Item = TypeVar("_Item")


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
        MediaError: another suffix, or a package that is missing; or the file cannot be read, is cut off, or holds what is no
            row, with the number of the row where it is the fault of one.
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
        rows = _checked(_json_lines(path) if suffix == ".jsonl" else _mcap_messages(path), path, check)
        done = 0
        while block := list(islice(rows, ROWS_AT_ONCE)):
            yield RowsBlock(path, done + 1, block, block[0])
            done += len(block)


def _items(
    items: Iterable[_Item], path: Path, faults: type[Exception] | tuple[type[Exception], ...]
) -> Iterator[_Item]:
    """What a library reads from a file, one item a row, the error of an item told with its row.

    Args:
        items: read one by one.
        path: of the file.
        faults: that the library raises over a file; others are faults of the program, and no memory is that of the machine.
    """
    reading = iter(items)
    for row in count(1):
        try:
            item = next(reading)
        except StopIteration:
            return
        except MemoryError:
            raise
        except faults as error:
            whole = isinstance(error, OSError | UnicodeDecodeError)  # of the file, which is read ahead
            raise no_rows(path, error, None if whole else row) from error
        yield item


def _opened(path: Path) -> BinaryIO:
    try:
        return open_plain(path)
    except OSError as error:
        raise no_rows(path, error) from error


def _read_csv(path: Path, check: CheckColumns) -> Iterator[RowBlock]:
    with io.TextIOWrapper(_opened(path), encoding="utf-8", newline="") as file:
        lines = csv.reader(whole_lines(file), strict=True)
        try:
            names = next(lines, [])
        except (ValueError, csv.Error) as error:
            raise no_rows(path, error) from error
        _check(path, names, check)
        rows = _items(lines, path, (ValueError, csv.Error, OSError))
        done = 0
        while values := list(islice(rows, ROWS_AT_ONCE)):
            for number, row in enumerate(values, done + 1):
                if len(row) != len(names):
                    raise no_rows(path, f"expected {len(names)} values, got {len(row)}", number)
            yield RowsBlock(path, done + 1, [dict(zip(names, row, strict=True)) for row in values], names)
            done += len(values)


def _json_lines(path: Path) -> Iterator[str]:
    with io.TextIOWrapper(_opened(path), encoding="utf-8") as file:
        yield from _items(whole_lines(file), path, (ValueError, OSError))


def _mcap_messages(path: Path) -> Iterator[bytes]:
    try:
        from mcap.reader import make_reader
    except ImportError as error:
        raise missing_extra("reading MCAP", "replay") from error
    with _opened(path) as file:
        try:
            messages = make_reader(file).iter_messages()
        except MemoryError:
            raise
        except Exception as error:  # mcap lets those of struct and of the compression pass
            raise no_rows(path, error) from error
        for schema, _, message in _items(messages, path, Exception):
            if schema is not None and schema.name == _VERDICT:
                yield message.data


def _checked(texts: Iterable[str | bytes], path: Path, check: CheckColumns) -> Iterator[_Row]:
    """Rows whose columns were checked, from their JSON."""
    columns: Collection[str] | None = None
    for number, text in enumerate(texts, 1):
        try:
            row = _object(text)
        except (ValueError, RecursionError) as error:
            raise no_rows(path, error, number) from error
        if columns is None or row.keys() != columns:
            columns = row.keys()
            _check(path, columns, check, number)
        yield row


def _check(path: Path, columns: Collection[str], check: CheckColumns, row: int | None = None) -> None:
    if len(set(columns)) != len(columns):
        raise no_rows(path, "expected columns of different names, got one twice")
    try:
        check(path, columns)
    except ValueError as error:
        raise no_rows(path, error, row) from error


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
    faults = (pyarrow.ArrowException, ValueError, OSError)
    with ExitStack() as opening:
        opened = opening.enter_context(_opened(path))
        try:
            file = opening.enter_context(pyarrow.parquet.ParquetFile(opened))
        except MemoryError:
            raise
        except faults as error:
            raise no_rows(path, error) from error
        names = file.schema_arrow.names
        _check(path, names, check)
        wanted = [name for name in names if name in columns]
        if FEATURES in wanted:
            kind = file.schema_arrow.field(FEATURES).type
            if not _is_list_of_numbers(kind):
                raise MediaError(f"expected lists of numbers as features, {path} has {kind}: score the frames again")
        done = 0
        for group in range(file.num_row_groups):  # one by one: read in one go, pyarrow holds all that it has passed
            batches = file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=wanted)
            while (batch := _next_batch(batches, path, done, faults)) is not None:
                yield ParquetBlock(path, done + 1, batch)
                done += batch.num_rows
                del batch


def _next_batch(batches: Iterator[Any], path: Path, done: int, faults: tuple[type[Exception], ...]) -> Any:
    """The next batch of pyarrow, None after the last; its error is told with the first row that cannot be read."""
    try:
        return next(batches, None)
    except MemoryError:
        raise
    except faults as error:
        raise no_rows(path, error, done + 1) from error


def _is_list_of_numbers(kind: Any) -> bool:
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return any(is_kind(kind.value_type) for is_kind in (types.is_floating, types.is_integer, types.is_null))
