# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``python -m export`` and of the console script ``lsood-export``."""

import difflib
import importlib
import sys
from typing import NoReturn

from export.stop_signals import ended_as_by_interrupt, errors_told_as_the_stop, words_and_code

_COMMANDS = ("benchmark", "calibrate", "evaluate", "evidence", "fleet", "search")
_RUNTIME = (
    "selftest",
    "score",
    "watch",
    "inspect",
    "diff",
    "sign",
    "verify",
    "triton",
    "certify",
    "select",
    "summary",
    "pack",
    "push",
    "pull",
)
_HELP = "python -m export --help"
_INSTALL = "install the wheels of lsood-export and, with the extra cpu or gpu, of lsood-runtime"


def main() -> None:
    """Run the export, or the command that the first word names, and exit with its code.

    Each command is imported when it is called, since a recalibration needs no torch.
    """
    with ended_as_by_interrupt():
        _run(sys.argv[1:])


def _run(words: list[str]) -> NoReturn:
    try:
        with errors_told_as_the_stop():
            from lsood_runtime.offline import open_missing_streams  # here, where an import that fails is told

            open_missing_streams()
            if not words or words[0].startswith("-"):
                sys.exit(importlib.import_module("export.cli.export").main(words))
            if words[0] in _COMMANDS:
                sys.exit(importlib.import_module(f"export.cli.{words[0]}").main(words[1:]))
    except KeyboardInterrupt as error:  # while packages are imported; the commands end on one themselves
        _end(*words_and_code(error))
    except ImportError as error:
        cause = _first_cause(error)
        if isinstance(cause, KeyboardInterrupt):  # in a package that is no Python code
            _end(*words_and_code(cause))
        words_of_it = " ".join(str(error).split())
        _end(f"error: {words_of_it}" + ("" if "pip install" in words_of_it else f": {_INSTALL}"), 2)
    _end(f"error: expected flags or a command ({', '.join(_COMMANDS)}), got {words[0]}: {_remedy(*words)}", 2)


def _first_cause(error: BaseException) -> BaseException:
    cause = error.__cause__ or error.__context__
    return error if cause is None else _first_cause(cause)


def _end(words: str, code: int) -> NoReturn:
    print(f"export: {words}", file=sys.stderr)
    sys.exit(code)


def _remedy(word: str, *others: str) -> str:
    """Suggest what to type in place of a word that is not a command."""
    if word == "help":
        asked = [other for other in others if other in _COMMANDS][:1]
        return f"type {' '.join(['python -m export', *asked, '--help'])}"
    if word == "export":
        return "an export has flags alone, python -m export --ckpt FILE --frames PATH --out DIR"
    if word in _RUNTIME:
        return f"it is a command of the runtime, python -m lsood_runtime {word}"
    near = difflib.get_close_matches(word, _COMMANDS, n=1)
    return f"did you mean {near[0]}?" if near else f"see {_HELP}"


if __name__ == "__main__":
    main()
