# SPDX-License-Identifier: Apache-2.0
"""Turn the options of a YAML file into words of a command line, so that both are checked in one place."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from export.errors import UsageError
from export.option_table import Option, plain_word
from export.strict_yaml import LONGEST_TEXT, load_yaml
from lsood_runtime.offline import one_line, read_plain, reason_of


def config_arguments(path: Path, options: Iterable[Option], given: Sequence[str]) -> list[str]:
    """Give the words for the options of a file; put them before the command line's own, which take precedence.

    Args:
        path: a YAML mapping from long options without dashes in front, such as ``mc-samples`` or ``mc_samples``, to their
            values; lists where a flag takes several, a mapping for ``model-arg``, true or false for switches.
        options: that the file may hold.
        given: the command line.

    Raises:
        UsageError: the file cannot be read, is no mapping, or has an unknown option or a value of the wrong kind.
    """
    try:
        values = load_yaml(read_plain(path, LONGEST_TEXT * 4).decode())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"expected a YAML file, cannot read {path}: {one_line(reason_of(error))}; correct it"
        ) from error
    if not isinstance(values, Mapping):
        raise UsageError(f"expected a mapping of options in {path}, got {type(values).__name__}: write option: value")
    return mapping_arguments(values, str(path), options, given)


def mapping_arguments(
    values: Mapping[Any, object], place: str, options: Iterable[Option], given: Sequence[str] = ()
) -> list[str]:
    """Give the words for the options of a mapping, as :func:`config_arguments` does for those of a file.

    Args:
        values: long options without dashes in front, and their values.
        place: where they come from, for errors.
        options: that the mapping may hold.
        given: the command line.

    Raises:
        UsageError: an unknown option, or a value of the wrong kind.
    """
    known = {option.key: option for option in options}
    words: list[str] = []
    for key, value in values.items():
        name = str(key).replace("_", "-")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "leave it out"
            raise UsageError(f"expected options of the command line in {place}, got {str(key)!r}: {hint}")
        flag = known[name].name
        on_command_line = any(word == flag or word.startswith(f"{flag}=") for word in given)
        if value is not None and not on_command_line:
            try:
                words += _words(known[name], value)
            except UsageError as error:
                raise UsageError(f"{place}: {error}") from error
    return words


def _words(option: Option, value: object) -> Iterator[str]:
    """Yield a flag and its words for a value of the file."""
    name = option.key
    if option.is_switch:
        if not isinstance(value, bool):
            raise UsageError(f"expected true or false for {name}, got {value!r}: write {name}: true")
        if value:
            yield option.name
    elif option.flag.words is not None and option.flag.words.mapping:
        if not isinstance(value, Mapping):
            raise UsageError(f"expected a mapping for {name}, got {value!r}: write {name}: {{key: value}}")
        if value:
            yield from option.typed(option.words_of(value))
    elif option.count is None:
        if isinstance(value, list | Mapping):
            raise UsageError(f"expected one value for {name}, got {value!r}: keep one of them")
        yield from option.typed([str(value)])
    else:
        items = list(value) if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, list | Mapping) for item in items):
            raise UsageError(f"expected a list of plain values for {name}, got {value!r}: write {name}: [a, b]")
        yield from option.typed([plain_word(Path(str(item)) if option.parse is Path else item) for item in items])
