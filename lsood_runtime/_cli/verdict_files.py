# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to files as CSV, JSON lines, Parquet or MCAP; what was written is kept whatever ends a run."""

import json
from collections.abc import Callable, Mapping
from io import BufferedWriter, FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

from lsood_runtime._cli.partial_file import PartialFile
from lsood_runtime._cli.verdict_row import Row, in_columns
from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._text.csv_table import CsvTable
from lsood_runtime._text.json_values import JsonScalar, JsonValue

_PARQUET_ROWS = 4096
_MCAP_CHUNK = 1 << 18  # bytes that a kill can lose, before compression
_LAST_STAMP_NS = 2**64 - 1  # MCAP has no negative times, and none later


class _Writer(Protocol):
    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...


class VerdictFile:
    """A file of verdicts, a row for each frame, in the format of its suffix; it appears under its name on leaving, whole.

    What was written is kept whatever ends the block; an older file stays where an exception comes before the first row. CSV
    and JSON lines are handed to the system row by row, MCAP in chunks; Parquet has no meaning before its end, so that a kill
    that no process can catch (SIGKILL) loses it.

    Args:
        path: ends in ``.csv``, ``.jsonl``, ``.parquet`` or ``.mcap``.

    Raises:
        MediaError: another suffix, a package that is missing, or a place where nothing can be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._rows = path, 0
        make = _WRITERS.get(path.suffix.lower())
        if make is None:
            raise MediaError(f"expected a file that ends in {', '.join(_WRITERS)}, got {path}: rename it")
        try:
            self._partial = PartialFile(path)
        except OSError as error:
            raise self._refusal(error) from error
        try:
            self._writer = make(self._partial.file)
        except BaseException:
            self._partial.discard()
            raise

    def write(self, row: Row) -> None:
        """Add a row; all rows have the same names.

        Raises:
            MediaError: the disk does not take it.
        """
        try:
            self._writer.write({name: _valid(value) for name, value in row.items()})
        except OSError as error:
            raise self._refusal(error) from error
        self._rows += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._rows:
            self._partial.discard()
            return
        try:
            self._writer.close()
        except Exception as failure:  # a full disk, and what pyarrow makes of it: without its end the file is none
            self._partial.discard()
            raise self._refusal(failure) from failure
        try:
            self._partial.move_into_place()
        except OSError as failure:
            where = f"{failure.strerror or failure}; the verdicts are in {self._partial.path}"
            raise MediaError(f"cannot write {self._path}: {where}") from failure

    def _refusal(self, error: Exception) -> MediaError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return MediaError(f"cannot write {self._path}: {reason}; choose another file")


def _valid(value: JsonValue) -> JsonValue:
    """The value, where text from a file name that is no UTF-8 is written with escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class _WholeLines:
    """Text that is handed to the system a line at a time; a line that the disk does not take leaves no piece behind."""

    def __init__(self, file: FileIO) -> None:
        self._file, self._length = file, 0

    def write(self, line: str) -> int:
        data = line.encode()
        try:
            done = 0
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            raise
        self._length += len(data)
        return len(line)


class _Csv:
    def __init__(self, file: FileIO) -> None:
        self._table = CsvTable(_WholeLines(file))

    def write(self, row: Row) -> None:
        self._table.write(in_columns(row))

    def close(self) -> None:
        """Every row is in the file already."""


class _JsonLines:
    def __init__(self, file: FileIO) -> None:
        self._lines = _WholeLines(file)

    def write(self, row: Row) -> None:
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")

    def close(self) -> None:
        """Every row is in the file already."""


class _Parquet:
    def __init__(self, file: FileIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise missing_extra("writing Parquet", "replay") from error
        self._arrow, self._rows = pyarrow, list[dict[str, JsonScalar]]()
        self._writer: Any = None
        self._file = BufferedWriter(file)

    def write(self, row: Row) -> None:
        self._rows.append(in_columns(row))
        if len(self._rows) == _PARQUET_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.flush()

    def _flush(self) -> None:
        if not self._rows and self._writer is not None:
            return
        # Rows show the types of their values, but for columns that are None in all rows: those hold floats or stamps.
        known = {name: kind for row in self._rows for name, kind in _arrow_types(self._arrow, row).items()}
        names = list(self._rows[0]) if self._rows else []
        schema = self._arrow.schema([(name, known.get(name, self._arrow.float64())) for name in names])
        if self._writer is None:
            self._writer = self._arrow.parquet.ParquetWriter(self._file, schema)
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._writer.schema))
        self._rows.clear()


def _arrow_types(arrow: Any, row: Mapping[str, JsonScalar]) -> dict[str, Any]:
    kinds = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    types = {name: kinds[type(value)] for name, value in row.items() if value is not None}
    return types | {name: arrow.int64() for name in row if name.endswith("_ns") and not name.startswith("parts.")}


class _Mcap:
    """Messages in JSON on a topic for each camera, with the frame's stamp as the time of log and of publication."""

    def __init__(self, file: FileIO) -> None:
        try:
            from mcap.writer import Writer
        except ImportError as error:
            raise missing_extra("writing MCAP", "replay") from error
        self._file = BufferedWriter(file)
        self._writer = Writer(self._file, chunk_size=_MCAP_CHUNK)
        self._writer.start(profile="", library="lsood_runtime")
        self._schema: int | None = None
        self._channels: dict[str, int] = {}

    def write(self, row: Row) -> None:
        if self._schema is None:
            self._schema = self._writer.register_schema("lsood.Verdict", "jsonschema", _json_schema(row))
        camera = str(row["camera"])
        if camera not in self._channels:
            topic = f"/lsood/{camera.strip('/')}"
            self._channels[camera] = self._writer.register_channel(topic, "json", self._schema)
        contents = json.dumps(row, allow_nan=False).encode()
        stamp_ns = min(max(cast(int, row["stamp_ns"]), 0), _LAST_STAMP_NS)
        self._writer.add_message(self._channels[camera], stamp_ns, contents, stamp_ns)

    def close(self) -> None:
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.flush()


def _json_schema(row: Row) -> bytes:
    words = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "number"}
    properties = {
        name: {"type": ["object" if isinstance(value, Mapping) else words[type(value)], "null"]}
        for name, value in row.items()
    }
    return json.dumps({"type": "object", "title": "lsood.Verdict", "properties": properties}).encode()


_WRITERS: dict[str, Callable[[FileIO], _Writer]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".parquet": _Parquet,
    ".mcap": _Mcap,
}
