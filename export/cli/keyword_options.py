# SPDX-License-Identifier: Apache-2.0
"""Options of a command from the keyword arguments of a function, read as those of its configuration file are."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from export.cli.config_file import mapping_arguments
from export.cli.flags import CommandParser, options_from
from export.errors import UsageError
from export.option_table import options_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

Table = TypeVar("Table", bound="OptionTable")
Paths = Sequence[str | os.PathLike[str]] | str | os.PathLike[str]  # the list first: LightningCLI takes what fits first


def path_words(paths: Paths) -> list[str]:
    """One path or several as words of a command line.

    Raises:
        UsageError: neither of them, or an empty path.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(listed, Iterable):
        raise UsageError(f"expected a path or several, got {type(paths).__name__}: pass text, a Path or a list of them")
    return [path_word(path) for path in listed]


def path_word(path: str | os.PathLike[str]) -> str:
    """A path as a word of a command line.

    Raises:
        UsageError: none, or an empty one.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"expected a path, got {type(path).__name__}: pass text or a Path")
    word = os.fspath(path)
    if not word:
        raise UsageError("expected a path, got an empty one: name a file or a folder")
    return word


def keyword_options(
    table: type[Table], given: Mapping[str, object], more: Mapping[str, Any], place: str, words: Sequence[str] = ()
) -> Table:
    """Options of a table from a function's own arguments, those that it hands on, and words without a flag.

    Args:
        table: of the options.
        given: values of the function's own arguments, by the key of their option.
        more: values of further options, by their key or with underscores in it; arrays count as lists.
        place: where these come from, for errors.
        words: of arguments without a flag.

    Raises:
        UsageError: an option that is none, a value that it cannot have, or one that the function has an argument for.
    """
    taken = {str(key).replace("_", "-") for key in more} & {*given, "bundle", "ood"}
    if taken:
        raise UsageError(
            f"expected {', '.join(sorted(taken))} beside {place}, got it in there: leave it out of {place}"
        )
    parser = _RaisingParser("", "", "")
    parser.add_options(table)
    options = list(options_of(table))
    own = {key: value for key, value in given.items() if value}
    plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in more.items()}
    typed = [*mapping_arguments(own, "the arguments", options), *mapping_arguments(plain, place, options)]
    behind = ["--", *words] if words else []  # a word that begins with a dash is no flag
    return options_from(parser.parse([*typed, *behind]), table)


class _RaisingParser(CommandParser):
    """One that raises where a command would end."""

    def error(self, message: str) -> NoReturn:
        """Raise; an argument has the name of its keyword."""
        of_one = re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL)
        raise UsageError(self.taught(message) if of_one is None else f"{self.shown(of_one[1])}: {of_one[2]}")

    def shown(self, name: str) -> str:
        """The keyword for a flag, or for an argument without one."""
        keywords = {"/".join(action.option_strings) or str(action.metavar): action.dest for action in self._actions}
        return keywords.get(name, name)
