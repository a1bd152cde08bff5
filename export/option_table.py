# SPDX-License-Identifier: Apache-2.0
"""Option tables: dataclasses whose fields carry their flags, and from which all that a user can type is derived.

    @dataclass(frozen=True)
    class SamplingOptions:
        mc_samples: int = field(default=16, metadata=flag("samples a frame", "sampling", metavar="S"))

gives the flag ``--mc-samples S`` with its help, type and default (:mod:`export.cli.flags`), the key ``mc-samples`` of a
configuration file (:mod:`export.cli.config_file`) and the words ``--mc-samples 32`` of a printed command
(:func:`command_words`). What a flag takes follows from the field's type: nothing for ``bool``, several words for a tuple or a
mapping, one word for anything else. A field that is a dataclass itself adds the options of that dataclass.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from export.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

Table = TypeVar("Table", bound="OptionTable")

MOST_SEED = 2**32 - 1
"""Greatest seed that every library takes."""

INPUT_AND_OUTPUT = "input and output"
"""Title of the flags that name what a command reads and writes."""


@dataclass(frozen=True)
class Words:
    """Functions that read a field's value from the words behind its flag and write it back, for values of their own form.

    Attributes:
        read: words to the value; raises :class:`UsageError`.
        write: the value to words.
        mapping: a configuration file holds the value as a mapping, not as words.
    """

    read: Callable[[Sequence[str]], object]
    write: Callable[..., list[str]]
    mapping: bool = False


@dataclass(frozen=True)
class Flag:
    """Properties of a flag that the field's type does not give; the arguments of :func:`flag`."""

    help: str | Callable[[], str]
    group: str | None
    name: str | None
    metavar: str | tuple[str, ...] | None
    choices: Sequence[str | int] | Callable[[], Sequence[str | int]]
    words: Words | None
    adds_up: bool
    excludes_others: bool
    least: int | None
    most: int | None


def flag(
    help_text: str | Callable[[], str],
    group: str | None = None,
    *,
    name: str | None = None,
    metavar: str | tuple[str, ...] | None = None,
    choices: Sequence[str | int] | Callable[[], Sequence[str | int]] = (),
    words: Words | None = None,
    adds_up: bool = False,
    excludes_others: bool = False,
    least: int | None = None,
    most: int | None = None,
) -> Mapping[str, Flag]:
    """Metadata of a dataclass field that can be typed as a flag.

    Args:
        help_text: for ``--help``; the default is added where the text does not tell it. A function is called each time.
        group: title of the group under which ``--help`` lists the flag.
        name: where it is not the field's own: ``--false-alarm-rate``, or ``bundle`` for an argument without a flag.
        metavar: what stands for the value in ``--help``, one for each word where the number of words is fixed.
        choices: the words that are allowed; empty for any. A function is called each time.
        words: reads and writes values that are no tuple of plain ones.
        adds_up: each time that the flag is typed adds to the value, rather than replaces it.
        excludes_others: flags of the table with this mark exclude one another.
        least: smallest number that :func:`check_limits` accepts, for a flag of whole numbers.
        most: greatest number that it accepts.
    """
    return {_KEY: Flag(help_text, group, name, metavar, choices, words, adds_up, excludes_others, least, most)}


_KEY = "flag"
_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for a negative number, not for a flag."""


@dataclass(frozen=True)
class Option:
    """A row of the table.

    Attributes:
        field: name of the dataclass field.
        flag: what the field says of its flag.
        hint: type of the field, without None.
        default: of the field; ``dataclasses.MISSING`` where it must be given.
    """

    field: str
    flag: Flag
    hint: object
    default: object

    @property
    def name(self) -> str:
        """Name as it is typed: ``--mc-samples``, or ``bundle`` for an argument without a flag."""
        return self.flag.name or f"--{self.field.replace('_', '-')}"

    @property
    def key(self) -> str:
        """Key in a configuration file: ``mc-samples``."""
        return self.name.removeprefix("--")

    @property
    def is_required(self) -> bool:
        """Whether the field has no default."""
        return self.default is MISSING

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no word and inverts the default."""
        return self.hint is bool

    @cached_property
    def count(self) -> int | Literal["+"] | None:
        """Number of words that the flag takes: a number, ``+`` for one or more, None for a single one."""
        if self.flag.words is not None:
            return "+"
        if get_origin(self.hint) is not tuple:
            return None
        items = get_args(self.hint)
        return "+" if items[-1] is Ellipsis else len(items)

    @cached_property
    def parse(self) -> Callable[[str], object]:
        """Type of one word."""
        if self.flag.words is not None or get_origin(self.hint) is Literal:
            return str
        parse: object = get_args(self.hint)[0] if get_origin(self.hint) is tuple else self.hint
        assert callable(parse)
        return parse

    @property
    def choices(self) -> Sequence[str | int]:
        """The words that are allowed; empty for any."""
        if get_origin(self.hint) is Literal:
            return get_args(self.hint)
        return self.flag.choices() if callable(self.flag.choices) else self.flag.choices

    @property
    def help(self) -> str:
        """The help text with the default."""
        text = self.flag.help() if callable(self.flag.help) else self.flag.help
        if "(default" in text or self.is_switch or self.is_required or self.default is None:
            return text
        words = self.words_of(self.default)
        return f"{text} (default: {' '.join(words)})" if words else text

    def value_of(self, parsed: object) -> object:
        """The field's value from what the command line holds: one parsed word, or a list of them.

        Raises:
            UsageError: words that cannot be read.
        """
        if not isinstance(parsed, list):
            return parsed
        return tuple(parsed) if self.flag.words is None else self.flag.words.read(parsed)

    def read(self, words: Sequence[str], before: object) -> object:
        """The value that words behind the flag give in place of another; what is a mapping gains their keys.

        Raises:
            UsageError: words that cannot be read, too many or too few of them, or one that is not among the choices.
        """
        if self.is_switch:
            return not self.default
        try:
            parsed = [self.parse(word) for word in words]
        except ValueError as error:
            raise UsageError(f"expected a value that {self.name} takes, got {' '.join(words)}: {self.takes}") from error
        if self.choices and not set(parsed) <= set(self.choices):
            raise UsageError(f"expected {self.name} among {', '.join(map(str, self.choices))}, got {' '.join(words)}")
        if not words or len(words) != (self.count if isinstance(self.count, int) else len(words) if self.count else 1):
            raise UsageError(f"expected another number of values behind {self.name}, got {len(words)}: {self.takes}")
        value = self.value_of(parsed if self.count else parsed[0])
        merged = self.flag.words is not None and self.flag.words.mapping
        return {**before, **value} if merged and isinstance(before, Mapping) and isinstance(value, Mapping) else value

    @property
    def takes(self) -> str:
        """What stands behind the flag, as ``--help`` has it."""
        metavar = self.flag.metavar or self.key.upper().replace("-", "_")
        words = [metavar] * (self.count if isinstance(self.count, int) else 1) if isinstance(metavar, str) else metavar
        return f"it takes {' '.join(words)}{' ...' if self.count == '+' else ''}"

    def words_of(self, value: object) -> list[str]:
        """The words behind the flag that give a value."""
        if self.flag.words is not None:
            return self.flag.words.write(value)
        return [plain_word(item) for item in value] if isinstance(value, tuple) else [plain_word(value)]

    def typed(self, words: Sequence[str]) -> list[str]:
        """The flag with words behind it; one that begins with a dash stands behind an equals sign, so as not to be a flag.

        Raises:
            UsageError: no words, several of which one begins with a dash, or the word ``--``, which argparse drops.
        """
        dashed = any(word.startswith("-") and not _NEGATIVE.fullmatch(word) for word in words)
        if not words or "--" in words or (dashed and len(words) > 1 and not self.flag.adds_up):
            raise UsageError(
                f"expected a value that can be typed behind {self.name}, got {' '.join(words) or 'none'}: -- is none, and "
                "of several words none may begin with a dash"
            )
        return [f"{self.name}={word}" for word in words] if dashed else [self.name, *words]


def options_of(table: type[OptionTable]) -> Iterator[Option]:
    """The options of a dataclass, those of the dataclasses in it included, in the order of the fields."""
    for row in rows_of(table).values():
        if isinstance(row, Option):
            yield row
        else:
            yield from options_of(row)


def rows_of(table: type[OptionTable]) -> dict[str, Option | type[OptionTable]]:
    """By name of each field: its option, or the dataclass that it is."""
    hints = get_type_hints(table)
    rows: dict[str, Option | type[OptionTable]] = {}
    for item in fields(table):
        hint = hints[item.name]
        if isinstance(hint, type) and is_dataclass(hint):
            rows[item.name] = hint
        else:
            default = item.default if item.default_factory is MISSING else item.default_factory()
            rows[item.name] = Option(item.name, item.metadata[_KEY], _without_none(hint), default)
    return rows


def check_limits(options: OptionTable) -> None:
    """Refuse whole numbers outside what their flags allow, before anything of that size is computed or allocated.

    Raises:
        UsageError: there is such a number.
    """
    for option, value in _values(options):
        least, most = option.flag.least, option.flag.most
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, int):
                continue
            if most is not None and number > most:
                raise UsageError(f"expected {option.name} of at most {most}, got {number}: give a smaller number")
            if least is not None and number < least:
                raise UsageError(f"expected {option.name} of at least {least}, got {number}: give a greater number")


def command_words(options: OptionTable) -> list[str]:
    """The words of a command line that gives these options; those that have their default are left out.

    Raises:
        UsageError: a value that no command line can give.
    """
    arguments: list[str] = []
    flags: dict[str, list[str]] = {}
    for option, value in _values(options):
        if not option.is_required and value == option.default:
            typed = []
        elif option.is_switch:
            typed = [option.name]
        elif not option.name.startswith("--"):
            arguments += option.words_of(value)
            continue
        else:
            typed = option.typed([] if value is None else option.words_of(value))
        if flags.setdefault(option.name, typed) != typed:
            raise UsageError(f"expected one value for {option.name} in all options, got different ones: give one")
    return [*arguments, *(word for typed in flags.values() for word in typed)]


def with_words(options: Table, words: Sequence[str]) -> Table:
    """Options that are changed by words of a command line.

    Raises:
        UsageError: words that cannot be read.
    """
    return _with_groups(options, words_by_flag(type(options), words))


def _with_groups(options: Table, groups: Mapping[str, Sequence[str]]) -> Table:
    changed: dict[str, object] = {}
    for name, row in rows_of(type(options)).items():
        value = getattr(options, name)
        if not isinstance(row, Option):
            changed[name] = _with_groups(value, groups)
        elif row.name in groups:
            changed[name] = row.read(groups[row.name], value)
    return replace(options, **changed)


def without_flags(options: Table, flags: Collection[str]) -> Table:
    """Options of which some have their default, as if their flags had not been typed; of ``--flag=key`` without that key."""
    changed: dict[str, object] = {}
    for name, row in rows_of(type(options)).items():
        if not isinstance(row, Option):
            changed[name] = without_flags(getattr(options, name), flags)
        elif row.name in flags and not row.is_required:
            changed[name] = row.default
        elif isinstance(keyed := getattr(options, name), Mapping):
            changed[name] = {key: value for key, value in keyed.items() if f"{row.name}={key}" not in flags}
    return replace(options, **changed)


def words_by_flag(table: type[OptionTable], words: Sequence[str]) -> dict[str, list[str]]:
    """The words behind each flag of a command line, in its order; a flag that comes twice has the words of both.

    Raises:
        UsageError: words that begin with none of the table's flags.
    """
    names = {option.name for option in options_of(table)}
    groups: dict[str, list[str]] = {}
    group: list[str] | None = None
    for word in words:
        flag_name, equals, value = word.partition("=")
        if flag_name in names:
            group = groups.setdefault(flag_name, [])
            group += [value] if equals else []
        elif group is None:
            raise UsageError(f"expected words behind a flag, got {word} in front of all: begin with a flag")
        else:
            group.append(word)
    return groups


def merged_command(table: type[OptionTable], words: Sequence[str], changes: Iterable[Sequence[str]]) -> list[str]:
    """A command line with changes, whose words may be placeholders: a flag's words replace those before, keys are merged."""
    groups = words_by_flag(table, words)
    options = {option.name: option for option in options_of(table)}
    for change in changes:
        for name, new in words_by_flag(table, change).items():
            if (form := options[name].flag.words) is not None and form.mapping:
                keyed = {word.partition("=")[0]: word for word in (*groups.get(name, ()), *new)}
                groups[name] = [*keyed.values()]
            else:
                groups[name] = new
    typed = (options[name].typed(group) if group else [name] for name, group in groups.items())
    return [word for flag_words in typed for word in flag_words]


def _values(options: OptionTable) -> Iterator[tuple[Option, object]]:
    for name, row in rows_of(type(options)).items():
        value = getattr(options, name)
        if isinstance(row, Option):
            yield row, value
        else:
            yield from _values(value)


def plain_word(value: object) -> str:
    """One plain value as a word; paths that begin with a dash get a folder in front."""
    word = str(value)
    return f"./{word}" if isinstance(value, Path) and word.startswith("-") else word


def _without_none(hint: object) -> object:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    (inner,) = (argument for argument in get_args(hint) if argument is not type(None))
    return inner
