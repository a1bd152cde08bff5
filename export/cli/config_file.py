# SPDX-License-Identifier: Apache-2.0
"""Options from a YAML file, turned into the flags that they stand for, so that both are checked in one place."""

import argparse
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from export.errors import UsageError


def config_arguments(path: Path, parser: argparse.ArgumentParser, given: Sequence[str]) -> list[str]:
    """Flags for the options of a file; put before the command line's own, which win.

    Args:
        path: a YAML mapping from long options without dashes in front, such as ``mc-samples`` or ``mc_samples``, to their
            values; lists where a flag takes several, a mapping for ``model-arg``, true or false for switches.
        parser: knows the flags.
        given: the command line.

    Raises:
        UsageError: the file cannot be read, is no mapping, or has an unknown option or a value of the wrong kind.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"expected a YAML file, cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, Mapping):
        raise UsageError(f"expected a mapping of options in {path}, got {type(values).__name__}: write option: value")
    flags = {
        option.removeprefix("--"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and option not in ("--help", "--config")
    }
    arguments: list[str] = []
    for key, value in values.items():
        name = str(key).replace("_", "-")
        if name not in flags:
            near = difflib.get_close_matches(name, flags, n=1)
            hint = f"did you mean {near[0]}?" if near else "see --help for the options"
            raise UsageError(f"expected options of the command line in {path}, got {str(key)!r}: {hint}")
        flag = f"--{name}"
        on_command_line = any(word == flag or word.startswith(f"{flag}=") for word in given)
        if value is not None and not on_command_line:
            arguments += _words(flag, flags[name], value, path)
    return arguments


def _words(flag: str, action: argparse.Action, value: Any, path: Path) -> Iterator[str]:
    name = flag.removeprefix("--")
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"expected true or false for {name} in {path}, got {value!r}")
        if value:
            yield flag
    elif name == "model-arg":
        if not isinstance(value, Mapping):
            raise UsageError(f"expected a mapping for {name} in {path}, got {value!r}: write model-arg: {{key: value}}")
        for key, argument in value.items():
            try:
                yield f"{flag}={key}={json.dumps(argument, allow_nan=False)}"
            except (TypeError, ValueError) as error:
                raise UsageError(
                    f"expected numbers, strings or lists for {name} in {path}, got {argument!r}"
                ) from error
    elif action.nargs is None:
        if isinstance(value, list | Mapping):
            raise UsageError(f"expected one value for {name} in {path}, got {value!r}")
        yield f"{flag}={value}"
    else:
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, list | Mapping) for item in items):
            raise UsageError(f"expected a list of plain values for {name} in {path}, got {value!r}")
        yield from (flag, *map(str, items))
