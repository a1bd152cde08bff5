# SPDX-License-Identifier: Apache-2.0
"""Read rows of verdicts from Parquet, CSV and JSON lines, block by block."""

import csv
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._text.json_values import parse_json
from lsood_runtime._text.whole_lines import whole_lines

ROW_SUFFIXES = (".parquet", ".csv", ".jsonl")
NEEDED = ("frame", "score", "state", "features")
OPTIONAL = ("drive", "camera", "stamp_ns", "expected_quality", "cause", "object_count", "largest_peak")
_ROWS = 2048


class RowBlock(ABC):
    """Some thousand rows; a column that the file does not have is empty in each.

    Attributes:
        columns: that the file has.
    """

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = frozenset(columns)
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._texts: dict[str, NDArray[np.object_]] = {}

    def numbers(self, column: str) -> NDArray[np.float64]:
        """``(N,)``, NaN where a row has none."""
        if column not in self._numbers:
            values = (math.nan if value in (None, "") else float(value) for value in self._column(column))
            self._numbers[column] = np.array(list(values), np.float64)
        return self._numbers[column]

    def texts(self, column: str) -> NDArray[np.object_]:
        """``(N,)`` of text, empty where a row has none."""
        if column not in self._texts:
            self._texts[column] = np.array(
                ["" if value is None else str(value) for value in self._column(column)], np.object_
            )
        return self._texts[column]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def whole(self, column: str, row: int) -> int | None:
        """The whole number of a row; None where it has none."""

    @abstractmethod
    def features(self, row: int) -> NDArray[np.float32]:
        """``(D,)`` of a row; empty where it has none."""

    @abstractmethod
    def has_features(self) -> NDArray[np.bool_]:
        """``(N,)``, whether a row has any."""

    @abstractmethod
    def _column(self, column: str) -> Sequence[Any]:
        """The values of a column, None where the file does not have it."""


def read_blocks(path: Path) -> Iterator[RowBlock]:
    """Read the rows of a file in order.

    Args:
        path: as ``lsood score`` and ``lsood watch`` write it, features kept; ends in ``.parquet``, ``.csv`` or ``.jsonl``.

    Raises:
        MediaError: another suffix, a column is missing, or pyarrow is.
        OSError, ValueError, csv.Error: the file cannot be read, or holds what is no row, which the blocks raise as well.
    """
    readers = dict(zip(ROW_SUFFIXES, (_read_parquet, _read_csv, _read_json_lines), strict=True))
    read = readers.get(path.suffix.lower())
    if read is None:
        raise MediaError(
            f"expected rows in a file that ends in {' or '.join(ROW_SUFFIXES)}, got {path}: name another file"
        )
    yield from read(path)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in columns]
    if missing == ["features"]:
        raise MediaError(
            f"expected rows with the column features, {path} has none: score the frames again, and keep their features"
        )
    if missing:
        raise MediaError(
            f"expected rows of verdicts with the columns {', '.join(NEEDED)}, {path} lacks {', '.join(missing)}: name a file "
            "of verdicts that keeps the features"
        )


class _RowsBlock(RowBlock):
    """Rows as they stand in CSV, all text, or in JSON lines."""

    def __init__(self, rows: list[dict[str, Any]], columns: Iterable[str]) -> None:
        super().__init__(columns)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def _column(self, column: str) -> Sequence[Any]:
        return [row.get(column) for row in self._rows]

    def whole(self, column: str, row: int) -> int | None:
        value = self._rows[row].get(column)
        return None if value in (None, "") else int(value)

    def features(self, row: int) -> NDArray[np.float32]:
        values = self._rows[row]["features"] or ()
        return np.array(values.split() if isinstance(values, str) else values, np.float32)

    def has_features(self) -> NDArray[np.bool_]:
        values = (row["features"] or () for row in self._rows)
        return np.array([bool(each.strip() if isinstance(each, str) else each) for each in values], np.bool_)


def _read_csv(path: Path) -> Iterator[RowBlock]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(whole_lines(file), strict=True)
        columns = list(reader.fieldnames or ())
        _check_columns(path, columns)
        while rows := list(islice(reader, _ROWS)):
            if any(None in row or None in row.values() for row in rows):
                raise ValueError(
                    f"expected {len(columns)} columns in each row, got others before line {reader.line_num + 1}"
                )
            yield _RowsBlock(rows, columns)


def _read_json_lines(path: Path) -> Iterator[RowBlock]:
    with path.open(encoding="utf-8") as file:
        lines = whole_lines(file)
        while rows := [parse_json(line) for line in islice(lines, _ROWS)]:
            columns = set(rows[0]) if isinstance(rows[0], dict) else set()
            _check_columns(path, sorted(columns))
            if any(not isinstance(row, dict) or row.keys() != columns for row in rows):
                raise ValueError("expected rows of the same columns, got others")
            yield _RowsBlock(rows, columns)


class _ParquetBlock(RowBlock):
    def __init__(self, batch: Any) -> None:
        super().__init__(batch.schema.names)
        self._batch = batch

    def __len__(self) -> int:
        rows: int = self._batch.num_rows
        return rows

    def _column(self, column: str) -> Sequence[Any]:
        if column not in self.columns:
            return [None] * len(self)
        values: list[Any] = self._batch[column].to_pylist()
        return values

    def whole(self, column: str, row: int) -> int | None:
        value = self._batch[column][row].as_py() if column in self.columns else None
        return None if value is None else int(value)

    def features(self, row: int) -> NDArray[np.float32]:
        values = self._batch["features"][row].values
        if values is None:
            return np.empty(0, np.float32)
        return np.array(values.to_numpy(zero_copy_only=False), np.float32)  # a copy: a view would hold the whole block

    def has_features(self) -> NDArray[np.bool_]:
        from pyarrow import compute

        lengths: Any = compute.list_value_length(self._batch["features"]).fill_null(0)
        return np.asarray(lengths.to_numpy(zero_copy_only=False) > 0, np.bool_)


def _read_parquet(path: Path) -> Iterator[RowBlock]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("reading Parquet", "replay") from error
    with pyarrow.parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_columns(path, names)
        kind = file.schema_arrow.field("features").type
        if not (pyarrow.types.is_list(kind) or pyarrow.types.is_fixed_size_list(kind)):
            raise MediaError(f"expected lists of numbers as features, {path} has {kind}: score the frames again")
        wanted = [name for name in (*NEEDED, *OPTIONAL) if name in names]
        for group in range(file.num_row_groups):  # one by one: read in one go, pyarrow holds all that it has passed
            for batch in file.iter_batches(_ROWS, row_groups=[group], columns=wanted):
                yield _ParquetBlock(batch)


def drive_of(frame: str, rule: str, named: Mapping[str, str]) -> str:
    """Name of the drive of a frame.

    Args:
        frame: its name: a path, in a video or a recording with ``#`` and the frame's number.
        rule: ``folder``, the folder of an image, or the video or recording itself; ``prefix``, the file name up to its first
            underscore; else the column of the row that names it.
        named: the row's texts by column.
    """
    if rule not in ("folder", "prefix"):
        return named[rule]
    file, _, place = frame.rpartition("#")
    path = Path(file if file and place.isdigit() else frame)
    if rule == "prefix":
        return path.stem.partition("_")[0]
    return str(path) if file and place.isdigit() else str(path.parent)
