# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to files as CSV, JSON lines, Parquet or MCAP; each write is atomic."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, cast

from lsood_runtime._cli.verdict_row import Row, in_columns
from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._text.csv_table import CsvTable
from lsood_runtime._text.json_values import JsonScalar

P = ParamSpec("P")

_PARQUET_ROWS = 4096


class _Writer(Protocol):
    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...


class VerdictFile:
    """A file of verdicts, a row for each frame, in the format of its suffix. After an exception no file appears.

    Args:
        path: ends in ``.csv``, ``.jsonl``, ``.parquet`` or ``.mcap``.

    Raises:
        MediaError: another suffix, a package that is missing, or a place where nothing can be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(f".{path.name}.{os.getpid()}.partial")
        make = _WRITERS.get(path.suffix.lower())
        if make is None:
            raise MediaError(f"expected a file that ends in {', '.join(_WRITERS)}, got {path}: rename it")
        try:
            self._writer = make(self._partial)
        except OSError as error:
            raise MediaError(f"cannot write {path}: {error.strerror}; choose another file") from error

    def write(self, row: Row) -> None:
        """Add a row; all rows have the same names.

        Raises:
            MediaError: the disk does not take it.
        """
        self._guard(self._writer.write, row)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._guard(self._writer.close)
            if kind is None:
                self._guard(self._partial.replace, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _guard(self, call: Callable[P, object], *arguments: P.args, **options: P.kwargs) -> None:
        try:
            call(*arguments, **options)
        except OSError as error:
            raise MediaError(f"cannot write {self._path}: {error.strerror or error}; choose another file") from error


class _Csv:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self._table = CsvTable(self._file)

    def write(self, row: Row) -> None:
        self._table.write(in_columns(row))

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace")

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(row, allow_nan=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise missing_extra("writing Parquet", "replay") from error
        self._arrow, self._rows = pyarrow, list[dict[str, JsonScalar]]()
        self._writer: Any = None
        self._file = path.open("wb")

    def write(self, row: Row) -> None:
        self._rows.append(in_columns(row))
        if len(self._rows) == _PARQUET_ROWS:
            self._flush()

    def close(self) -> None:
        try:
            self._flush()
        finally:
            if self._writer is not None:
                self._writer.close()
            self._file.close()

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

    def __init__(self, path: Path) -> None:
        try:
            from mcap.writer import Writer
        except ImportError as error:
            raise missing_extra("writing MCAP", "replay") from error
        self._file = path.open("wb")
        self._writer = Writer(self._file)
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
        stamp_ns = cast(int, row["stamp_ns"])
        self._writer.add_message(self._channels[camera], stamp_ns, contents, stamp_ns)

    def close(self) -> None:
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
        finally:
            self._file.close()


def _json_schema(row: Row) -> bytes:
    words = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "number"}
    properties = {
        name: {"type": ["object" if isinstance(value, Mapping) else words[type(value)], "null"]}
        for name, value in row.items()
    }
    return json.dumps({"type": "object", "title": "lsood.Verdict", "properties": properties}).encode()


_WRITERS: dict[str, Callable[[Path], _Writer]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".parquet": _Parquet,
    ".mcap": _Mcap,
}
