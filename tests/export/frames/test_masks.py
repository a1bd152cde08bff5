# SPDX-License-Identifier: Apache-2.0
"""Masks of unknown objects: their numbers by option, and what is no mask of a frame."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from export.errors import UsageError
from export.frames.masks import MaskValues

NUMBERS = st.lists(st.integers(0, 255), min_size=2, max_size=6, unique=True)


def write_mask(path: Path, numbers: NDArray[np.generic]) -> Path:
    Image.fromarray(numbers.astype(np.uint8)).save(path)
    return path


@given(numbers=NUMBERS, data=st.data())
def test_mask_of_any_numbers_is_read_by_what_they_stand_for(
    numbers: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = data.draw(st.integers(1, len(numbers) - 1))
    second = data.draw(st.integers(first + 1, len(numbers)))
    values = MaskValues(tuple(numbers[:first]), tuple(numbers[first:second]), tuple(numbers[second:]))
    mask = np.random.default_rng(0).choice(numbers, (5, 7))
    read = values.read(write_mask(tmp_path_factory.mktemp("masks") / "a.png", mask), 5, 7)
    for row, column in np.ndindex(5, 7):
        assert read.unknown[row, column] == (mask[row, column] in values.unknown)
        assert read.void[row, column] == (mask[row, column] in values.void)


def test_mask_with_a_number_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "a.png", np.full((2, 2), 2))
    with pytest.raises(
        UsageError, match=r"expected 1 \(unknown\), 0 \(known\) or 255 \(void\) in .*a\.png, got 2: .*--unk"
    ):
        MaskValues().read(path, 2, 2)
    assert MaskValues(unknown=(2,)).read(path, 2, 2).unknown.all()


def test_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "a.png", np.zeros((2, 3)))
    with pytest.raises(UsageError, match=r"expected the mask .* to have the frame's 4 x 6 pixels .*, got 2 x 3: give"):
        MaskValues().read(path, 4, 6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unknown": (1, 0)}, "got 0 for two: change --unknown-mask"),
        ({"void": (7, 7)}, "got 7 for two"),
        ({"unknown": ()}, "got none by --unknown-mask"),
        ({"known": ()}, "got none by --known-mask"),
    ],
)
def test_numbers_that_tell_nothing_apart_are_refused(values: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MaskValues(**values)
