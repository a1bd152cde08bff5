# SPDX-License-Identifier: Apache-2.0
"""Some thousand rows of verdicts, as columns or one by one, whatever file they are from."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = "features"
"""Column of the numbers by which frames are compared with each other."""

_MAYBE_NOT_FINITE = re.compile(r"[nN]|[eE]\+?\d|\d{30}")
"""In the text of features that are no finite float32: a name, as nan and inf have, or a large number."""


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
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows one by one: values of JSON, or text as CSV has it."""

    @abstractmethod
    def whole(self, column: str, row: int) -> int | None:
        """The whole number of a row; None where it has none."""

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


class RowsBlock(RowBlock):
    """Rows as they stand in CSV, all text, in JSON lines, or in MCAP."""

    def __init__(self, rows: list[Mapping[str, Any]], columns: Iterable[str]) -> None:
        super().__init__(columns)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> Sequence[Mapping[str, Any]]:
        return self._rows

    def _column(self, column: str) -> Sequence[Any]:
        return [row.get(column) for row in self._rows]

    def whole(self, column: str, row: int) -> int | None:
        value = self._rows[row].get(column)
        return None if value in (None, "") else int(value)

    def features(self, row: int) -> NDArray[np.float32]:
        values = self._rows[row].get(FEATURES) or ()
        with np.errstate(over="ignore"):
            numbers = np.array(values.split() if isinstance(values, str) else values, np.float32)
        if numbers.ndim != 1:
            raise ValueError("expected a list of numbers as features")
        return numbers

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

    def __init__(self, batch: Any) -> None:
        super().__init__(batch.schema.names)
        self._batch = batch

    def __len__(self) -> int:
        rows: int = self._batch.num_rows
        return rows

    def rows(self) -> Sequence[Mapping[str, Any]]:
        values: list[Mapping[str, Any]] = self._batch.to_pylist()
        return values

    def _column(self, column: str) -> Sequence[Any]:
        if column not in self.columns:
            return [None] * len(self)
        values: list[Any] = self._batch[column].to_pylist()
        return values

    def whole(self, column: str, row: int) -> int | None:
        value = self._batch[column][row].as_py() if column in self.columns else None
        return None if value is None else int(value)

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


def _floats(values: Any) -> NDArray[np.float32]:
    """An array of pyarrow as float32, null as NaN."""
    with np.errstate(over="ignore"):
        return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float32, copy=False)
