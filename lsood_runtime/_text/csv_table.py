# SPDX-License-Identifier: Apache-2.0
"""Write rows as comma-separated values."""

import csv
from collections.abc import Mapping, Sequence
from typing import Protocol


class Text(Protocol):
    """What text is written to, such as a text file."""

    def write(self, text: str, /) -> object:
        """Take a piece of text, here a whole line."""


class CsvTable:
    """Writes a header once, then a line for each row; numbers keep every digit, None stays empty.

    Args:
        out: what to write to.
        columns: names of the columns, written at once; None for the names of the first row, written with it.
    """

    def __init__(self, out: Text, columns: Sequence[str] | None = None) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._columns: Sequence[str] | None = None
        if columns is not None:
            self._start(columns)

    def write(self, row: Mapping[str, object]) -> None:
        """Write a row with a value for each column.

        Raises:
            KeyError: a column is missing.
        """
        if self._columns is None:
            self._start(list(row))
        self._writer.writerow([row[column] for column in self._columns or ()])

    def _start(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._writer.writerow(columns)
