# SPDX-License-Identifier: Apache-2.0
"""Lines of a file come whole; a file that is cut off, or that has no lines, is refused before it fills the memory."""

import io
import random

import pytest

from lsood_runtime._text import whole_lines as module
from lsood_runtime._text.whole_lines import whole_lines


def test_whole_lines_are_those_of_the_file() -> None:
    rng = random.Random(0)
    lines = ["x" * rng.randrange(40) + "\n" for _ in range(200)]
    assert list(whole_lines(io.StringIO("".join(lines)))) == lines
    assert list(whole_lines(io.StringIO(""))) == []


def test_last_line_without_an_end_is_refused_after_the_others() -> None:
    lines = whole_lines(io.StringIO("a\nb"))
    assert next(lines) == "a\n"
    with pytest.raises(ValueError, match="it is cut off"):
        next(lines)


def test_line_that_is_too_long_is_refused_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 10)
    assert list(whole_lines(io.StringIO("123456789\n"))) == ["123456789\n"]
    file = io.StringIO("x" * 1000)
    with pytest.raises(ValueError, match="expected lines of less than 10 characters"):
        next(whole_lines(file))
    assert file.tell() == 10
