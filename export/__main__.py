# SPDX-License-Identifier: Apache-2.0
"""``python -m export`` and the console script ``lsood-export``."""

import difflib
import importlib
import sys

_COMMANDS = ("calibrate", "evaluate", "search")


def main() -> None:
    """Run a command and exit with its code; without the name of a command, run the export.

    A command is imported when it runs, so that calibrating does without torch.
    """
    given = sys.argv[1:]
    word = given[0] if given and not given[0].startswith("-") else None
    if word is None:
        sys.exit(importlib.import_module("export.cli.export").main(given))
    if word not in _COMMANDS:
        close = difflib.get_close_matches(word, _COMMANDS, n=1)
        remedy = f"did you mean {close[0]}?" if close else "see python -m export --help"
        print(
            f"export: error: expected flags or a command ({', '.join(_COMMANDS)}), got {word}: {remedy}",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.exit(importlib.import_module(f"export.cli.{word}").main(given[1:]))


if __name__ == "__main__":
    main()
