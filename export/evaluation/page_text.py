# SPDX-License-Identifier: Apache-2.0
"""Words on a page."""

import re
from collections.abc import Mapping
from html import escape

_FLAG = re.compile(r"(?<!\S)--?[a-z][\w-]*")


def words_with_flags(text: str) -> str:
    """Text as HTML, every character shown as it is; no line ends within a flag, as browsers end one behind a dash.

    Example:
        >>> words_with_flags("evaluate M/ --ind <DRIVES>")
        'evaluate M/ <span class="flag">--ind</span> &lt;DRIVES&gt;'
    """
    parts, end = [], 0
    for found in _FLAG.finditer(text):
        parts += [escape(text[end : found.start()]), f'<span class="flag">{escape(found[0])}</span>']
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def fact_rows(facts: Mapping[str, str]) -> str:
    """Rows of a list of names and what is told of each."""
    return "".join(f"<dt>{escape(name)}</dt><dd>{words_with_flags(value)}</dd>" for name, value in facts.items())
