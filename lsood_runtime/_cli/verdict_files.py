# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to files as CSV, JSON lines, Parquet or MCAP; what was written is kept whatever ends a run."""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from lsood_runtime._cli.mcap_file import MapLayer, McapVerdicts
from lsood_runtime._cli.parquet_file import ROWS_SUFFIX, ParquetFile
from lsood_runtime._cli.verdict_row import Row, in_columns, numbers_text
from lsood_runtime._cli.whole_lines import WholeLines
from lsood_runtime._exceptions import MediaError
from lsood_runtime._partial_file import PartialFile
from lsood_runtime._rows.row_block import FEATURES
from lsood_runtime._text.counted import counted
from lsood_runtime._text.csv_table import CsvTable
from lsood_runtime._text.json_values import JsonValue


class _Writer(Protocol):
    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...


class VerdictFile:
    """A file of verdicts, a row for each frame, in the format of its suffix; it appears under its name on leaving, whole.

    What was written is kept whatever ends the block; an older file stays where an exception comes before the first row. CSV
    and JSON lines are handed to the system row by row, MCAP in chunks. The rows of Parquet are lines of JSON until its end.

    Args:
        path: ends in ``.csv``, ``.jsonl``, ``.parquet`` or ``.mcap``.

    Raises:
        MediaError: another suffix, a package that is missing, or a place where nothing can be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._rows, self._ended = path, 0, False
        self._failure: Exception | None = None
        suffix = path.suffix.lower()
        make = _WRITERS.get(suffix)
        if make is None:
            raise MediaError(f"expected a file that ends in {', '.join(_WRITERS)}, got {path}: rename it")
        try:
            self._partial = PartialFile(path, ROWS_SUFFIX if make is ParquetFile else "")
        except OSError as error:
            raise MediaError(f"cannot write {path}: {_words(error)}; choose another file") from error
        try:
            self._writer = make(self._partial, path)
        except BaseException:
            self._partial.discard()
            raise

    @property
    def takes_layers(self) -> bool:
        """Whether the file shows pictures: an MCAP file does."""
        return isinstance(self._writer, McapVerdicts)

    def write(self, row: Row, layer: MapLayer | None = None) -> None:
        """Add a row; all rows have the same names.

        Args:
            row: of a frame.
            layer: the frame under its anomaly map, with its unknown objects, for a file that takes layers.

        Raises:
            MediaError: it cannot be written, and the file was ended before it; the message says where the rows before are.
        """
        try:
            values = {name: _valid(value) for name, value in row.items()}
            if isinstance(self._writer, McapVerdicts):
                values.pop(FEATURES, None)
            self._writer.write(values)
            if layer is not None and isinstance(self._writer, McapVerdicts):
                self._writer.write_layer(values, layer)
        except Exception as error:  # a full disk, or whatever a library makes of a row
            kept = self._end(keep=self._rows > 0)
            raise MediaError(f"cannot write {self._path}: {_words(error)}; {kept}") from error
        self._rows += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended:
            kept = self._end(keep=kind is None or self._rows > 0)
            if self._failure is not None:
                raise MediaError(f"cannot write {self._path}: {_words(self._failure)}; {kept}") from self._failure

    def _end(self, *, keep: bool) -> str:
        """End the file and give it its place, or remove it; say where its rows are then."""
        self._ended = True
        if not keep:
            self._partial.discard()
            return "what stood there before stays"
        rows = counted(self._rows, "row")
        kept = f"what could be written of its {rows} is in"
        try:
            self._writer.close()
            kept = "the verdicts are in"
            self._partial.move_into_place()
        except Exception as failure:  # a full disk, and what pyarrow makes of it
            self._failure = failure
            self._partial.file.close()
            return f"{kept} {self._partial.path}"
        return f"it holds {rows}"


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _valid(value: JsonValue) -> JsonValue:
    """The value, where text from a file name that is no UTF-8 is written with escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class _Csv:
    def __init__(self, partial: PartialFile, _: Path) -> None:
        self._table = CsvTable(WholeLines(partial.file))

    def write(self, row: Row) -> None:
        self._table.write({name: numbers_text(value) for name, value in in_columns(row).items()})

    def close(self) -> None:
        """Every row is in the file already."""


class _JsonLines:
    def __init__(self, partial: PartialFile, _: Path) -> None:
        self._lines = WholeLines(partial.file)

    def write(self, row: Row) -> None:
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")

    def close(self) -> None:
        """Every row is in the file already."""


_WRITERS: dict[str, Callable[[PartialFile, Path], _Writer]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".parquet": ParquetFile,
    ".mcap": McapVerdicts,
}
