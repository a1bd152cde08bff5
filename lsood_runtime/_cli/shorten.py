# SPDX-License-Identifier: Apache-2.0
"""Shorten names, so that they fit where they are drawn."""


def shorten(text: str, letters: int) -> str:
    """Cut the middle out of a text that is longer than so many letters, and write line breaks as spaces."""
    text = " ".join(text.splitlines())
    if len(text) <= letters:
        return text
    head = (letters - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (letters - 1 - head) :]}"
