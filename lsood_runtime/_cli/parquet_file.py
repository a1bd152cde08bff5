# SPDX-License-Identifier: Apache-2.0
"""Verdicts as Parquet, which has no meaning before its end: until then its rows are lines of JSON beside its place."""

import json
from collections.abc import Iterator
from io import BufferedWriter
from itertools import islice
from pathlib import Path
from typing import Any

from lsood_runtime._cli.verdict_row import Row, in_columns
from lsood_runtime._cli.whole_lines import WholeLines
from lsood_runtime._exceptions import missing_extra
from lsood_runtime._partial_file import PartialFile
from lsood_runtime._rows.row_block import FEATURES
from lsood_runtime._text.json_values import JsonScalar

ROWS_SUFFIX = ".jsonl"
_ROWS_AT_ONCE = 4096


class ParquetFile:
    """Hands each row to the system as a line of JSON, and writes the Parquet file from these lines at the end.

    Args:
        rows: for the lines; it becomes the Parquet file.
        place: where that shall stand.

    Raises:
        MediaError: pyarrow is missing.
    """

    def __init__(self, rows: PartialFile, place: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise missing_extra("writing Parquet", "replay") from error
        self._arrow, self._rows, self._place = pyarrow, rows, place
        self._lines = WholeLines(rows.file)
        self._kinds: dict[str, type | None] = {}

    def write(self, row: Row) -> None:
        """Add a row."""
        columns = in_columns(row)
        self._lines.write(json.dumps(columns, allow_nan=False) + "\n")
        for name, value in columns.items():
            if value is not None or name not in self._kinds:
                self._kinds[name] = None if value is None else type(value)

    def close(self) -> None:
        """Write the Parquet file; where that fails, the lines stay as they are."""
        whole = PartialFile(self._place)
        try:
            file = BufferedWriter(whole.file)
            schema = self._schema()
            with self._arrow.parquet.ParquetWriter(file, schema) as writer:
                for block in _blocks(self._rows.path):
                    writer.write_table(self._arrow.Table.from_pylist(block, schema=schema))
            file.detach()  # it would close the file behind it
        except BaseException:
            whole.discard()
            raise
        self._rows.become(whole)

    def _schema(self) -> Any:
        """Rows show the types of their values, but for columns that are None in all rows: those hold floats or stamps."""
        arrow = self._arrow
        types = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
        types[tuple] = arrow.list_(arrow.float32())

        def type_of(name: str, kind: type | None) -> Any:
            if kind is None and name == FEATURES:
                return types[tuple]
            return arrow.int64() if _is_stamp(name) else arrow.float64() if kind is None else types[kind]

        return arrow.schema([(name, type_of(name, kind)) for name, kind in self._kinds.items()])


def _is_stamp(name: str) -> bool:
    return name.endswith("_ns") and not name.startswith("parts.")


def _blocks(path: Path) -> Iterator[list[dict[str, JsonScalar]]]:
    with path.open(encoding="utf-8") as lines:
        while block := [json.loads(line) for line in islice(lines, _ROWS_AT_ONCE)]:
            yield block
