# SPDX-License-Identifier: Apache-2.0
"""Make argparse flags from option tables, and options from what was typed."""

import argparse
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from export.option_table import Option, check_limits, options_of, rows_of
from lsood_runtime.offline import OnceParser, near_flags

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

Table = TypeVar("Table", bound="OptionTable")


class CommandParser(OnceParser):
    """Parser of one command. A flag that was not typed sets no attribute: the default of the dataclass holds.

    Args:
        command: name behind ``python -m export``; empty for the export itself.
        description: what the command does, in a sentence.
        epilog: examples and exit codes.
    """

    def __init__(self, command: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=f"python -m export {command}".strip(),
            argument_default=argparse.SUPPRESS,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._sections: dict[str | None, argparse._ActionsContainer] = {None: self}
        self._names: list[str] = ["-h", "--help"]
        self._usage: list[str] = []

    def add_options(self, table: type["OptionTable"], *, all_required: bool = True) -> None:
        """Add the options of a table; one that another table has added already is left as it is.

        Args:
            table: a dataclass of :mod:`export.option_table`.
            all_required: require the options without a default.
        """
        new: dict[str, Option] = {}
        for option in options_of(table):
            if option.name not in self._names:
                new.setdefault(option.name, option)
        self._names += new
        self._usage += [_usage(option) for option in new.values() if _is_required(option, all_required)]
        self.usage = " ".join([self.prog, *self._usage, "[options]"])
        excluding = any(option.flag.excludes_others for option in new.values())
        exclusive = self.add_mutually_exclusive_group() if excluding else self
        for option in new.values():
            group = option.flag.group
            if group not in self._sections:
                self._sections[group] = self.add_argument_group(group)
            section = exclusive if option.flag.excludes_others else self._sections[group]
            section.add_argument(option.name, **_argparse_arguments(option, all_required))

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse a command line; leaves with exit code 2 and the nearest flag where one is misspelt.

        What stands behind ``--`` is no flag.
        """
        flags = list(itertools.takewhile(lambda word: word != "--", arguments))
        if not {"-h", "--help"} & set(flags):
            for word in flags:
                self._check_name(word)
        return self.parse_args(arguments)

    def _check_name(self, word: str) -> None:
        name, _, value = word.partition("=")
        if name.startswith("--") and value == "--":  # argparse would drop it and give the flag no value
            self.error(f"expected a value behind {name}=, got --: write another one")
        if name.startswith("--") and " " not in name and name not in self._names:
            self.error(f"unrecognized arguments: {word}{near_flags(name, self._names)}")


def options_from(flags: argparse.Namespace, table: type[Table]) -> Table:
    """Make the options from what was typed, and from the defaults of the others.

    Raises:
        UsageError: words that cannot be read, or a number that its flag does not allow.
    """
    typed = vars(flags)
    values: dict[str, Any] = {}
    for field, row in rows_of(table).items():
        if not isinstance(row, Option):
            values[field] = options_from(flags, row)
        elif _destination(row) in typed:
            values[field] = row.value_of(typed[_destination(row)])
    options = table(**values)
    check_limits(options)
    return options


def _destination(option: Option) -> str:
    """Attribute of the namespace: tables that share a flag share it."""
    return option.key.replace("-", "_")


def _is_required(option: Option, all_required: bool) -> bool:
    return all_required and option.is_required


def _usage(option: Option) -> str:
    """A required option in the usage line."""
    word = str(option.flag.metavar or option.key)
    words = f"{word} [{word} ...]" if option.count == "+" else word
    return f"{option.name} {words}" if option.name.startswith("--") else words


def _argparse_arguments(option: Option, all_required: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"help": option.help.replace("%", "%%")}
    if option.is_switch:
        return arguments | {"action": "store_false" if option.default else "store_true"}
    arguments |= {"type": option.parse, "metavar": option.flag.metavar, "nargs": option.count}
    if option.choices:
        arguments["choices"] = option.choices
    if option.flag.adds_up:
        arguments["action"] = "extend"
    if option.name.startswith("--"):
        arguments["required"] = _is_required(option, all_required)
    return arguments
