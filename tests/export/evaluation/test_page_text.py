# SPDX-License-Identifier: Apache-2.0
"""Text of a page reads as it was given; flags are kept on one line."""

import random
from html.parser import HTMLParser

import pytest

from export.evaluation.page_text import fact_rows, words_with_flags


class Page(HTMLParser):
    """Collects text, and that within flags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.flags, self._within = "", list[str](), False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert (tag, attrs) == ("span", [("class", "flag")])
        self._within = True

    def handle_endtag(self, tag: str) -> None:
        assert tag == "span"
        self._within = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._within:
            self.flags.append(data)


@pytest.mark.parametrize("seed", range(20))
def test_text_is_kept_and_its_flags_are_found(seed: int) -> None:
    words = ["--out", "a-b", "<b>", "--junit-xml", "-k", "M/", "-", "--", "x--y", "&amp;", "-3", "\n", "(--labels)"]
    text = " ".join(random.Random(seed).choices(words, k=12))
    page = Page(words_with_flags(text))
    assert page.text == text
    assert page.flags == [word for word in text.split() if word in ("--out", "--junit-xml", "-k")]


def test_facts_are_escaped_and_their_flags_kept() -> None:
    row = fact_rows({"a<b": "lsood-export --out M/"})
    assert row == '<dt>a&lt;b</dt><dd>lsood-export <span class="flag">--out</span> M/</dd>'
