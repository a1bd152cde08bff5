# SPDX-License-Identifier: Apache-2.0
"""Daily summaries as Parquet files: written whole or not at all, read in blocks, so that a file of any length fits."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lsood_runtime._arguments import check_path, check_type
from lsood_runtime._exceptions import MediaError, missing_extra, one_line
from lsood_runtime._fleet.daily_summary import DailySummary, merged_summaries
from lsood_runtime._fleet.summary_columns import summary_of_row, summary_row, summary_schema
from lsood_runtime._partial_file import whole_file
from lsood_runtime._plain_file import open_plain

_MARK, _VERSION = b"lsood.summaries", 1
"""Of the files: the version goes up where a reader of the version before would count something else."""

_ROWS_AT_ONCE = 256
_PATH = "the path of a file of daily summaries", 'pass one such as "summary.parquet"'


def write_summaries(summaries: Iterable[DailySummary], path: str | os.PathLike[str]) -> None:
    """Write daily summaries as Parquet; the file appears whole, or what was there before stays.

    Those of one key are merged, and rows are sorted by key: bundle, threshold, camera, vehicle and day.

    Args:
        summaries: in any order.
        path: of the file.

    Raises:
        TypeError: something that is no summary, or no path.
        MediaError: nothing can be written there, or pyarrow is missing.
    """
    place = Path(check_path(path, *_PATH))
    check_type(summaries, Iterable, "daily summaries in a list", "pass [summary] for one")
    known = list(summaries)
    for summary in known:
        check_type(summary, DailySummary, "a DailySummary", "read them with read_summaries")
    write_sorted_summaries(merged_summaries([[summary] for summary in known]), place)


def write_sorted_summaries(summaries: Iterable[DailySummary], place: Path) -> int:
    """Write summaries that come sorted by key, each key once, in blocks; give their number.

    Raises:
        MediaError: as for :func:`write_summaries`.
    """
    arrow = import_pyarrow("writing daily summaries")
    schema = summary_schema(arrow).with_metadata({_MARK: str(_VERSION).encode()})
    count, rows = 0, iter(summaries)
    try:
        with (
            whole_file(place) as file,
            arrow.parquet.ParquetWriter(file, schema, compression="zstd", write_statistics=False) as writer,
        ):
            while block := [summary_row(summary) for summary in islice(rows, _ROWS_AT_ONCE)]:
                writer.write_table(arrow.Table.from_pylist(block, schema=schema))
                count += len(block)
    except (OSError, ValueError, OverflowError, arrow.ArrowException) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or one_line(error)
        raise MediaError(f"expected to write {place}, got: {words}; choose another file") from error
    return count


def read_summaries(path: str | os.PathLike[str]) -> Iterator[DailySummary]:
    """Read the daily summaries of a file one by one, in the order of their keys.

    Args:
        path: of a file that :func:`write_summaries`, ``lsood summary`` or a :class:`SummaryRecorder` wrote.

    Raises:
        TypeError: no path.
        MediaError: the file cannot be read, holds something else, or is of a later version; or pyarrow is missing.
    """
    return _summaries(Path(check_path(path, *_PATH)))


def _summaries(place: Path) -> Iterator[DailySummary]:
    arrow = import_pyarrow("reading daily summaries")
    last: DailySummary | None = None
    try:
        with open_plain(place) as opened, arrow.parquet.ParquetFile(opened) as file:
            _check_schema(file.schema_arrow, summary_schema(arrow), place)
            for block in file.iter_batches(_ROWS_AT_ONCE):
                for row in block.to_pylist():
                    summary = summary_of_row(row)
                    if last is not None and not last.key < summary.key:
                        raise ValueError(f"expected rows sorted by their key, got {summary} after {last}")
                    yield summary
                    last = summary
    except (OSError, ValueError, TypeError, KeyError, arrow.ArrowException) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or one_line(error).rstrip(".")
        raise MediaError(
            f"expected a whole file of daily summaries, got {place}: {words}; write it again with lsood summary"
        ) from error


def _check_schema(found: Any, known: Any, place: Path) -> None:
    version = (found.metadata or {}).get(_MARK)
    if version is None:
        raise MediaError(
            f"expected daily summaries, got {place}, another Parquet file: make them of rows with lsood summary"
        )
    if version != str(_VERSION).encode():
        raise MediaError(
            f"expected daily summaries of version {_VERSION}, got version {one_line(version.decode('ascii', 'replace'))} in "
            f"{place}: update this package"
        )
    if not found.equals(known):
        raise ValueError("its columns are others than those of this version")


def import_pyarrow(purpose: str) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra(purpose, "fleet") from error
    return pyarrow
