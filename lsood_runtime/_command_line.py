# SPDX-License-Identifier: Apache-2.0
"""Parse command lines on which each flag stands in full, and once."""

import argparse
import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from lsood_runtime._exceptions import one_line

_MISSING = "the following arguments are required: "
"""How argparse begins to name arguments that are missing."""


def near_flags(typed: str, flags: Iterable[str]) -> str:
    """Say which flags may be meant by one that is unknown: those that begin like it, else the one that is spelt most like it.

    Example:
        >>> near_flags("--max", ["--max-age", "--maps", "--max-batch"])
        ': did you mean --max-age or --max-batch?'
        >>> near_flags("--colour", ["--json"])
        ''
    """
    known = list(flags)
    near = [flag for flag in known if len(typed) > len("--") and flag.startswith(typed)]
    near = near or difflib.get_close_matches(typed, known, n=1, cutoff=0.7)
    return f": did you mean {' or '.join(near)}?" if near else ""


class OnceParser(argparse.ArgumentParser):
    """A parser that takes no beginnings of flags, and refuses a second value of a flag, unless its values add up.

    What it parses has an attribute ``stated``: the names of the values that were typed behind a flag.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False)
        self.register("action", None, _StoreOnce)
        self.set_defaults(stated=frozenset())

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong with the command line, and where its help is; leave with 2.

        The usage, dozens of lines for some commands, is left to ``--help``: the error would be lost below it.
        """
        self.exit(2, f"{self.prog}: error: {one_line(self.taught(message))} (see {self.prog} --help)\n")

    def taught(self, message: str) -> str:
        """An error of argparse; one that names missing arguments with the example of the help that has them."""
        if not message.startswith(_MISSING):
            return message
        missing = message.removeprefix(_MISSING).split(", ")
        flags = {name for name in missing if name.startswith("-")}
        example = next((line for line in self._examples() if flags <= set(line.split())), None)
        *most, last = map(self.shown, missing)
        several = f"expected {', '.join(most)} and {last}, got none of them: name them"
        told = several if most else f"expected {last}, got none: name it"
        return told + (f", as in {example}" if example else "")

    def shown(self, name: str) -> str:
        """How an error names an argument, for which argparse has its flag or what stands for its value."""
        return name

    def _examples(self) -> Iterator[str]:
        """Command lines of this command among the examples of its help, without remarks, pipes and continued lines."""
        for line in (self.epilog or "").rpartition("examples:\n")[2].splitlines():
            command = line.strip().partition("  ")[0].partition(" | ")[0]
            if command.startswith(f"{self.prog} ") and not command.endswith("\\"):
                yield command


class _StoreOnce(argparse.Action):
    """What argparse does where no action is named: store the value; but one of two is never lost in silence."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None:
            if self.dest in namespace.stated:
                remedy = "write all values behind one" if self.nargs == "+" else "keep one of them"
                raise argparse.ArgumentError(self, f"expected this flag once, got it again: {remedy}")
            namespace.stated |= {self.dest}
        setattr(namespace, self.dest, values)
