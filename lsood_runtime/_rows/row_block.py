# SPDX-License-Identifier: Apache-2.0
"""Some thousand rows of verdicts, as columns or one by one, whatever file they are from."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import shown
from lsood_runtime._rows.no_rows import no_rows

_Made = TypeVar("_Made")

FEATURES = "features"
"""Column of the numbers by which frames are compared with each other."""

_MAYBE_NOT_FINITE = re.compile(r"[nN]|[eE]\+?\d|\d{30}")
"""In the text of features that are no finite float32: a name, as nan and inf have, or a large number."""


class RowBlock(ABC):
    """Some thousand rows; a column that the file does not have is empty in each.

    Whatever gives values raises a MediaError that names the row of one which cannot be read.

    Args:
        path: of the file.
        first: number of the first row in the file, from 1.
        columns: that the file has.

    Attributes:
        columns: the same.
    """

    def __init__(self, path: Path, first: int, columns: Iterable[str]) -> None:
        self.columns = frozenset(columns)
        self._path, self._first = path, first
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._texts: dict[str, NDArray[np.object_]] = {}

    def numbers(self, column: str) -> NDArray[np.float64]:
        """``(N,)``, NaN where a row has none."""
        if column not in self._numbers:
            numbers = self._each(_number, self._column(column), f"a number as {column}")
            self._numbers[column] = np.array(numbers, np.float64)
        return self._numbers[column]

    def texts(self, column: str) -> NDArray[np.object_]:
        """``(N,)`` of text, empty where a row has none."""
        if column not in self._texts:
            texts = self._each(_text, self._column(column), f"text as {column}")
            self._texts[column] = np.array(texts, np.object_)
        return self._texts[column]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows one by one: values of JSON, or text as CSV has it."""

    def whole(self, column: str, row: int) -> int | None:
        """The whole number of a row; None where it has none."""
        return self._each(_whole, [self._value(column, row)], f"a whole number as {column}", row)[0]

    def place(self, row: int) -> str:
        """A row of this block in words, by its number in the file."""
        return f"row {self._first + row} of {self._path}"

    @abstractmethod
    def features(self, row: int) -> NDArray[np.float32]:
        """``(D,)`` of a row, not all of them finite; empty where it has none."""

    @abstractmethod
    def has_features(self) -> NDArray[np.bool_]:
        """``(N,)``, whether a row has any."""

    @abstractmethod
    def has_finite_features(self) -> NDArray[np.bool_]:
        """``(N,)``, whether every feature of a row is a finite number; True where it has none."""

    @abstractmethod
    def _column(self, column: str) -> Sequence[Any]:
        """The values of a column, None where the file does not have it."""

    @abstractmethod
    def _value(self, column: str, row: int) -> Any:
        """The value of a column in a row, None where the file does not have it."""

    def _each(
        self, convert: Callable[[Any], _Made], values: Iterable[Any], expected: str, first: int = 0
    ) -> list[_Made]:
        """Values of rows, from one of this block on, converted; raises a MediaError with the row of one that cannot be."""
        made: list[_Made] = []
        try:
            for value in values:
                made.append(convert(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise no_rows(
                self._path, f"expected {expected}, got {shown(value)}", self._first + first + len(made)
            ) from error
        return made


class RowsBlock(RowBlock):
    """Rows as they stand in CSV, all text, in JSON lines, or in MCAP."""

    def __init__(self, path: Path, first: int, rows: list[Mapping[str, Any]], columns: Iterable[str]) -> None:
        super().__init__(path, first, columns)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> Sequence[Mapping[str, Any]]:
        return self._rows

    def _column(self, column: str) -> Sequence[Any]:
        return [row.get(column) for row in self._rows]

    def _value(self, column: str, row: int) -> Any:
        return self._rows[row].get(column)

    def features(self, row: int) -> NDArray[np.float32]:
        return self._each(_features, [self._value(FEATURES, row)], "a list of numbers as features", row)[0]

    def has_features(self) -> NDArray[np.bool_]:
        values = (value or () for value in self._column(FEATURES))
        return np.array([bool(each.strip() if isinstance(each, str) else each) for each in values], np.bool_)

    def has_finite_features(self) -> NDArray[np.bool_]:
        return np.array(
            [
                (isinstance(value, str) and not _MAYBE_NOT_FINITE.search(value))
                or bool(np.isfinite(self.features(row)).all())
                for row, value in enumerate(self._column(FEATURES))
            ],
            np.bool_,
        )


class ParquetBlock(RowBlock):
    """A record batch of pyarrow."""

    def __init__(self, path: Path, first: int, batch: Any) -> None:
        super().__init__(path, first, batch.schema.names)
        self._batch = batch

    def __len__(self) -> int:
        rows: int = self._batch.num_rows
        return rows

    def rows(self) -> Sequence[Mapping[str, Any]]:
        names = list(self._batch.schema.names)
        return [dict(zip(names, values, strict=True)) for values in zip(*map(self._column, names), strict=True)]

    def _column(self, column: str) -> Sequence[Any]:
        if column not in self.columns:
            return [None] * len(self)
        return self._each(_plain, self._batch[column], f"a value that can be read as {column}")

    def _value(self, column: str, row: int) -> Any:
        if column not in self.columns:
            return None
        return self._each(_plain, [self._batch[column][row]], f"a value that can be read as {column}", row)[0]

    def features(self, row: int) -> NDArray[np.float32]:
        values = self._batch[FEATURES][row].values
        if values is None:
            return np.empty(0, np.float32)
        return _floats(values).copy()  # a view would hold the whole block

    def has_features(self) -> NDArray[np.bool_]:
        return np.asarray(self._lengths() > 0, np.bool_)

    def has_finite_features(self) -> NDArray[np.bool_]:
        faults = np.flatnonzero(~np.isfinite(_floats(self._batch[FEATURES].flatten())))
        finite = np.ones(len(self), np.bool_)
        finite[np.searchsorted(np.cumsum(self._lengths()), faults, side="right")] = False
        return finite

    def _lengths(self) -> NDArray[np.int64]:
        """``(N,)``, number of features of each row."""
        from pyarrow import compute

        lengths: Any = compute.list_value_length(self._batch[FEATURES]).fill_null(0)
        return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)


def _number(value: Any) -> float:
    return math.nan if value in (None, "") else float(value)


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    whole = int(value)
    if not -(2**63) <= whole < 2**63:
        raise ValueError
    return whole


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    text.encode()  # a lone surrogate, which JSON can hold, could not be written
    return text


def _plain(value: Any) -> Any:
    """A value of pyarrow as one of Python."""
    return value.as_py()


def _features(values: Any) -> NDArray[np.float32]:
    """Features as CSV or JSON has them."""
    with np.errstate(over="ignore"):
        numbers = np.array(values.split() if isinstance(values, str) else values or (), np.float32)
    if numbers.ndim != 1:
        raise ValueError
    return numbers


def _floats(values: Any) -> NDArray[np.float32]:
    """An array of pyarrow as float32, null as NaN."""
    with np.errstate(over="ignore"):
        return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float32, copy=False)
