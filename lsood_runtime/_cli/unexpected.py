# SPDX-License-Identifier: Apache-2.0
"""Errors that nobody foresaw: one line, and an exit code that no verdict has."""

import os
import traceback
from pathlib import Path

from lsood_runtime._exceptions import one_line

EXIT_CODE = 3
"""Exit code after an error that is a fault of this program, or of a library or the machine below it."""

_SWITCH = "LSOOD_TRACEBACK"


def describe_unexpected(error: BaseException) -> str:
    """Class, message and place of an error in one line; the whole traceback before it where ``LSOOD_TRACEBACK`` is set."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    line = f"unexpected error: {type(error).__name__}: {one_line(error) or 'no message'}{place}"
    if os.environ.get(_SWITCH):
        return "".join(traceback.format_exception(error)) + line
    return f"{line}; please report it, with what {_SWITCH}=1 shows"
