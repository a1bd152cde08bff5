# SPDX-License-Identifier: Apache-2.0
"""Write verdicts to files as CSV, JSON lines, Parquet or MCAP; what was written is kept whatever ends a run."""

import json
from collections.abc import Callable, Mapping
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

from lsood_runtime._cli.parquet_file import ROWS_SUFFIX, ParquetFile
from lsood_runtime._cli.partial_file import PartialFile
from lsood_runtime._cli.verdict_row import Row, in_columns
from lsood_runtime._cli.whole_lines import WholeLines
from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._text.counted import counted
from lsood_runtime._text.csv_table import CsvTable
from lsood_runtime._text.json_values import JsonValue

_MCAP_CHUNK = 1 << 18  # bytes that a kill can lose, before compression
_LAST_STAMP_NS = 2**64 - 1  # MCAP has no negative times, and none later


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

    def write(self, row: Row) -> None:
        """Add a row; all rows have the same names.

        Raises:
            MediaError: it cannot be written, and the file was ended before it; the message says where the rows before are.
        """
        try:
            self._writer.write({name: _valid(value) for name, value in row.items()})
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
        self._table.write(in_columns(row))

    def close(self) -> None:
        """Every row is in the file already."""


class _JsonLines:
    def __init__(self, partial: PartialFile, _: Path) -> None:
        self._lines = WholeLines(partial.file)

    def write(self, row: Row) -> None:
        self._lines.write(json.dumps(row, allow_nan=False) + "\n")

    def close(self) -> None:
        """Every row is in the file already."""


class _Mcap:
    """Messages in JSON on a topic for each camera, with the frame's stamp as the time of log and of publication."""

    def __init__(self, partial: PartialFile, _: Path) -> None:
        try:
            from mcap.writer import Writer
        except ImportError as error:
            raise missing_extra("writing MCAP", "replay") from error
        self._file = BufferedWriter(partial.file)
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


_WRITERS: dict[str, Callable[[PartialFile, Path], _Writer]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    ".parquet": ParquetFile,
    ".mcap": _Mcap,
}
