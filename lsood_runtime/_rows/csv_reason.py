# SPDX-License-Identifier: Apache-2.0
"""Say why a CSV file cannot be read."""

import csv

from lsood_runtime._exceptions import reason_of


def csv_reason(error: BaseException, remedy: str = "shorten it") -> str:
    """Why a CSV file cannot be read, in one line; ``remedy`` is what to do about a field that is meant to be so long."""
    longest = csv.field_size_limit()
    if isinstance(error, csv.Error) and str(error) == f"field larger than field limit ({longest})":
        return f"expected at most {longest:,} characters in a field, got more: close its quotation mark, or {remedy}"
    return reason_of(error)
