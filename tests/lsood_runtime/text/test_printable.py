# SPDX-License-Identifier: Apache-2.0
"""No text makes a terminal do anything but print."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime._exceptions import one_line
from lsood_runtime._text.printable import printable

ANY_TEXT = st.text(st.characters())  # surrogates too, as in names that are no UTF-8
HOSTILE = (
    "\x1b[2J\x1b]0;title\x07",
    "a\rb",
    "back\b\bspace",
    "\x9b31m",
    "\u202egnp.exe",
    "line\nline",
    "\u2028",
    "\udce9",
)


@given(ANY_TEXT)
def test_printable_of_any_text_has_no_character_that_is_not_printed(text: str) -> None:
    for shown in (printable(text), one_line(text)):
        assert all(unicodedata.category(each)[0] in "LMNPS" or each == " " for each in shown)
        shown.encode()


@given(ANY_TEXT)
def test_printable_of_printable_text_is_that_text(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert (printable(text) == text) == text.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_printable_of_hostile_text_shows_what_it_was_made_of(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == text
