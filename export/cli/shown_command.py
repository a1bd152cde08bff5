# SPDX-License-Identifier: Apache-2.0
"""Format the command line that made a report."""

import itertools
import shlex
from collections.abc import Sequence

_MANY = 8


def shown_command(command: str, arguments: Sequence[str]) -> str:
    """The command line; of a long list of files only the first and the last are shown.

    Args:
        command: name behind ``python -m export``.
        arguments: behind that.
    """
    runs = [list(run) for _, run in itertools.groupby(arguments, key=lambda word: word.startswith("--"))]
    words = [run if len(run) <= _MANY else [run[0], f"... {len(run) - 2} more ...", run[-1]] for run in runs]
    quoted = [word if word.endswith(" more ...") else shlex.quote(word) for run in words for word in run]
    return " ".join([f"python -m export {command}", *quoted])
