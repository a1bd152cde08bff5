# SPDX-License-Identifier: Apache-2.0
"""The error of a file that does not hold rows of verdicts."""

from pathlib import Path

from lsood_runtime._exceptions import MediaError
from lsood_runtime._rows.csv_reason import csv_reason


def no_rows(path: Path, reason: BaseException | str, row: int | None = None) -> MediaError:
    """The error of a file of rows that cannot be read.

    Args:
        path: of the file.
        reason: what is wrong, in words, or the error of what read it.
        row: number of the row, from 1; None for a fault of the file as a whole.
    """
    if not isinstance(reason, str):
        told = csv_reason(reason, "keep lists as long in .jsonl or .parquet")
        reason = told.rstrip(".") or type(reason).__name__
    place = "" if row is None else f"row {row}: "
    return MediaError(
        f"expected rows of verdicts, got {path}: {place}{reason}; pass a whole file that lsood score or watch wrote"
    )
