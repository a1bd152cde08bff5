# SPDX-License-Identifier: Apache-2.0
"""Words for regions of tiles, against a reader of these words that was written without the code that writes them."""

import itertools
import re
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime._tiles.region_words import describe_tiles, tile_text

Places = frozenset[tuple[int, int]]


def read_name(name: str, rows: int, columns: int) -> Places:
    """The tiles that the name of a region means; rows count from the top and columns from the left, from 1."""
    name = name.removeprefix("the ")
    every = [(row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)]
    side: dict[str, Callable[[int, int, float], bool]] = {
        "upper": lambda row, _, depth: row <= depth,
        "lower": lambda row, _, depth: row > rows - depth,
        "left": lambda _, column, depth: column <= depth,
        "right": lambda _, column, depth: column > columns - depth,
    }

    def where(*sides: tuple[str, float]) -> Places:
        return frozenset(
            place for place in every if all(side[word](place[0], place[1], depth) for word, depth in sides)
        )

    middle = {"upper": rows / 2, "lower": rows / 2, "left": columns / 2, "right": columns / 2}
    if name == "whole picture":
        return frozenset(every)
    if name == "centre":
        down, across = max(1, rows // 4), max(1, columns // 4)
        return frozenset((r, c) for r, c in every if down < r <= rows - down and across < c <= columns - across)
    if match := re.fullmatch(r"(\w+) half", name):
        assert middle[match[1]] % 1 == 0, "halves of an odd number of tiles"
        return where((match[1], middle[match[1]]))
    if match := re.fullmatch(r"(upper|lower) (left|right) (quarter|corner)", name):
        return where(*((word, middle[word] if match[3] == "quarter" else 1) for word in match.groups()[:2]))
    if match := re.fullmatch(r"(upper|lower) row|(left|right) column", name):
        return where((match[1] or match[2], 1))
    if match := re.fullmatch(r"(upper|lower) (\d+) rows|(left|right) (\d+) columns", name):
        return where((match[1] or match[3], int(match[2] or match[4])))
    if match := re.fullmatch(r"(row|column)s? (\d+)(?: to (\d+))? of (\d+)", name):
        axis = match[1] == "column"
        assert int(match[4]) == (rows, columns)[axis]
        return frozenset(place for place in every if int(match[2]) <= place[axis] <= int(match[3] or match[2]))
    raise AssertionError(f"a name of no region: {name!r}")


def check_words(tiles: NDArray[np.bool_]) -> str:
    """Compare the words for tiles with what they mean, and give their first part."""
    rows, columns = tiles.shape
    found = frozenset((int(row) + 1, int(column) + 1) for row, column in np.argwhere(tiles))
    match = re.fullmatch(r"(?:(all but|most of|part of) )?(.+) \((\d+) of (\d+) tiles\)", describe_tiles(tiles))
    assert match is not None
    how, region = match[1], read_name(match[2], rows, columns)
    assert (int(match[3]), int(match[4])) == (len(found), rows * columns)
    if how is None:
        assert found == region
    elif how == "all but":
        assert found == read_name("whole picture", rows, columns) - region
        assert len(found) >= len(region)
    else:
        assert found < region
        assert (2 * len(found) > len(region)) == (how == "most of")
    return how or "exactly"


def every_mask(rows: int, columns: int) -> Iterable[NDArray[np.bool_]]:
    numbers = np.arange(1, 2 ** (rows * columns), dtype=np.uint32)
    yield from ((numbers[:, None] >> np.arange(rows * columns)) & 1).astype(bool).reshape(-1, rows, columns)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 8), (8, 1), (2, 2), (2, 3), (3, 3), (2, 5), (3, 4)])
def test_describe_tiles_every_union_of_tiles_is_described_truly(rows: int, columns: int) -> None:
    for mask in every_mask(rows, columns):
        check_words(mask)


@pytest.mark.slow
def test_describe_tiles_every_union_of_sixteen_tiles_is_described_truly() -> None:
    for rows, columns in ((4, 4), (2, 8)):
        assert {check_words(mask) for mask in every_mask(rows, columns)} == {"exactly", "all but", "most of", "part of"}


@settings(max_examples=300, deadline=None)
@given(rows=st.integers(1, 16), columns=st.integers(1, 16), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_describe_tiles_any_union_of_any_grid_is_described_truly(
    rows: int, columns: int, share: float, seed: int
) -> None:
    """Scattered tiles, and a rectangle of them with some more or fewer."""
    rng = np.random.default_rng(seed)
    scattered = rng.random((rows, columns)) < share
    (top, bottom), (left, right) = (np.sort(rng.integers(0, size + 1, 2)) for size in (rows, columns))
    block = np.zeros((rows, columns), bool)
    block[top:bottom, left:right] = True
    for mask in (scattered, block, block & ~scattered, block | scattered):
        if mask.any():
            check_words(mask)


def test_describe_tiles_every_rectangle_of_the_default_grid_is_described_truly() -> None:
    for top, bottom in itertools.combinations(range(5), 2):
        for left, right in itertools.combinations(range(9), 2):
            mask = np.zeros((4, 8), bool)
            mask[top:bottom, left:right] = True
            check_words(mask)
            check_words(~mask) if not mask.all() else None


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (slice(0, 4), slice(0, 8), "whole picture (32 of 32 tiles)"),
        (slice(0, 4), slice(0, 4), "left half (16 of 32 tiles)"),
        (slice(2, 4), slice(0, 8), "lower half (16 of 32 tiles)"),
        (slice(2, 4), slice(0, 4), "lower left quarter (8 of 32 tiles)"),
        (slice(3, 4), slice(0, 1), "lower left corner (1 of 32 tiles)"),
        (slice(2, 3), slice(1, 2), "part of the lower left quarter (1 of 32 tiles)"),
        (slice(1, 3), slice(2, 6), "centre (8 of 32 tiles)"),
        (slice(1, 3), slice(3, 5), "part of the centre (4 of 32 tiles)"),
        (slice(0, 1), slice(0, 8), "upper row (8 of 32 tiles)"),
        (slice(1, 4), slice(0, 8), "lower 3 rows (24 of 32 tiles)"),
        (slice(0, 4), slice(7, 8), "right column (4 of 32 tiles)"),
        (slice(0, 4), slice(2, 3), "column 3 of 8 (4 of 32 tiles)"),
        (slice(0, 4), slice(2, 5), "columns 3 to 5 of 8 (12 of 32 tiles)"),
    ],
)
def test_describe_tiles_usual_regions_have_the_words_that_an_engineer_uses(
    rows: slice, columns: slice, words: str
) -> None:
    mask = np.zeros((4, 8), bool)
    mask[rows, columns] = True
    assert describe_tiles(mask) == words


def test_describe_tiles_nearly_a_region_names_it() -> None:
    mask = np.zeros((4, 8), bool)
    mask[:, 4:] = True
    mask[1, 4] = False
    assert describe_tiles(mask) == "most of the right half (15 of 32 tiles)"
    assert describe_tiles(~np.eye(4, 8, dtype=bool) | (np.arange(8) > 0)) == (
        "all but the upper left corner (31 of 32 tiles)"
    )


@given(rows=st.integers(1, 16), columns=st.integers(1, 16), seed=st.integers(0, 1000))
def test_tile_text_reads_back_as_the_tiles(rows: int, columns: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    read = np.array([[digit == "1" for digit in row] for row in tile_text(mask).split(" ")])
    np.testing.assert_array_equal(read, mask)
