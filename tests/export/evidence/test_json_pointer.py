# SPDX-License-Identifier: Apache-2.0
"""Pointers into JSON documents lead where RFC 6901 says."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.evidence.json_pointer import MissingPlaceError, is_pointer, pointer, resolve

DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~01", max_size=4), inner, max_size=3),
    max_leaves=8,
)
EXAMPLE = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


def places(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield (), document
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, value in inner:
        for rest, found in places(value):
            yield (name, *rest), found


@settings(max_examples=30)
@given(DOCUMENTS)
def test_pointer_to_any_place_of_any_document_finds_its_value(document: Any) -> None:
    for parts, value in places(document):
        assert resolve(document, pointer(*parts)) is value
        assert is_pointer(pointer(*parts)) == bool(parts)


@pytest.mark.parametrize(
    ("place", "value"),
    [("", EXAMPLE), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/m~0n", 8), ("/ ", 7)],
)
def test_resolve_of_the_examples_of_the_standard_finds_their_values(place: str, value: object) -> None:
    assert resolve(EXAMPLE, place) == value


@pytest.mark.parametrize(
    "place", ["/foo/2", "/foo/-1", "/foo/01", "/foo/x", "/bar", "/a/b", "/foo/0/0", "/foo/" + "9" * 30]
)
def test_resolve_of_a_place_that_is_not_there_is_an_error(place: str) -> None:
    with pytest.raises(MissingPlaceError):
        resolve(EXAMPLE, place)


@pytest.mark.parametrize("text", ["foo", "", "/a~", "/a~2", "#/a"])
def test_text_that_points_nowhere_is_no_pointer(text: str) -> None:
    assert not is_pointer(text)
