# SPDX-License-Identifier: Apache-2.0
"""End the command ``lsood`` in one line where it fails before its first line of code runs, while packages are imported.

Where this process runs the command, the import of this module sees to it that no error of a later import prints a traceback
and exits with 1, which means an alarm. Where another program imports the package, nothing changes.
"""

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

_MODULE, _SCRIPT = "lsood_runtime", "lsood"
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
_INTERRUPTED, _UNUSABLE, _UNEXPECTED = 130, 2, 3


def runs_command(words: list[str]) -> bool:
    """Whether a command line of Python, its own flags included, runs ``lsood``."""
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            return next(rest, "") == _MODULE
        if word in _WITH_VALUE:
            next(rest, "")
        elif not word.startswith("-"):
            return Path(word).name == _SCRIPT
    return False


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if os.environ.get("LSOOD_TRACEBACK"):
        traceback.print_exception(kind, error, trace)
    if issubclass(kind, KeyboardInterrupt):
        words, code = "interrupted", _INTERRUPTED
    elif issubclass(kind, ImportError):
        words, code = f"error: {' '.join(str(error).split())}", _UNUSABLE
    else:
        words, code = f"unexpected error: {kind.__name__}: {' '.join(str(error).split())}", _UNEXPECTED
    print(f"lsood: {words}", file=sys.stderr)
    sys.exit(code)


if runs_command(sys.orig_argv):
    sys.excepthook = _end
