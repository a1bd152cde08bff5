# SPDX-License-Identifier: Apache-2.0
"""Which flag that a user typed an error is about, where the error does not say what to type in its place."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from export.errors import ExportError, UsageError
from export.findings import PLACEHOLDER
from export.option_table import command_words, options_of, words_by_flag
from export.pipeline.options import ExportOptions

_FLAG = re.compile(r"--[a-z][a-z-]*")


def culprit_words(error: ExportError, given: ExportOptions) -> tuple[str, ...]:
    """The one typed flag that an error's message names, with a placeholder in the place of each value.

    So that a command that is printed behind the error is not the one that failed. Where the message names several, that one
    counts which it names in front of its remedy, behind the last colon; where these are several too, the user alone knows
    which of them is wrong, and none counts. Of a flag with keys, those count that the message names. A switch has no value
    that could be replaced.

    Args:
        error: without words of its own.
        given: options as the user gave them.
    """
    try:
        typed = words_by_flag(type(given), command_words(replace(given, frames=given.frames or (Path(PLACEHOLDER),))))
    except UsageError:  # options that no command line can give
        return ()
    keyed = {option.name for option in options_of(type(given)) if option.flag.words and option.flag.words.mapping}
    text = str(error)
    for said in (text, text.rpartition(": ")[0]):
        named: list[tuple[str, ...]] = []
        for name in dict.fromkeys(_FLAG.findall(said)):
            values = typed.get(name, [])
            blank = _blank_keys(values, text) if name in keyed else [PLACEHOLDER] * len(values)
            named += [(name, *blank)] if blank else []
        if len(named) <= 1:
            return named[0] if named else ()
    return ()


def _blank_keys(values: Sequence[str], text: str) -> list[str]:
    keys = [value.partition("=")[0] for value in values]
    return [f"{key}={PLACEHOLDER}" for key in keys if re.search(rf"\b{re.escape(key)}\b", text)]
