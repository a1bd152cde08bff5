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
from export.frames.labels import MASKS, label_files
from export.frames.masks import MaskValues, check_void

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


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((None, None, None), ((1,), (0,), (255,))),
        (((255,), None, None), ((255,), (0,), ())),
        (((2,), (0, 1), None), ((2,), (0, 1), (255,))),
        ((None, (255,), None), ((1,), (255,), ())),
        ((None, None, (7,)), ((1,), (0,), (7,))),
        (((0,), (1,), None), ((0,), (1,), (255,))),
    ],
)
def test_usual_numbers_give_way_to_those_that_were_given(
    given: tuple[tuple[int, ...] | None, ...], meant: tuple[tuple[int, ...], ...]
) -> None:
    values = MaskValues.given(*given)
    assert (values.unknown, values.known, values.void) == meant


def test_numbers_that_were_given_for_two_kinds_or_leave_none_are_refused() -> None:
    with pytest.raises(UsageError, match="got 255 for two: change --unknown-mask"):
        MaskValues.given((255,), None, (255,))
    with pytest.raises(UsageError, match="got none by --known-mask: name one"):
        MaskValues.given((0,), None, None)


@pytest.mark.parametrize(
    ("numbers", "values", "refused"),
    [
        ([[0, 255], [0, 255]], MaskValues(), True),
        ([[255, 255]], MaskValues(), True),
        ([[0, 255], [0, 1]], MaskValues(), False),
        ([[0, 0]], MaskValues(), False),
        ([[0, 255]], MaskValues.given((255,), None, None), False),
        ([[0, 255]], MaskValues(unknown=(2,)), True),
    ],
)
def test_masks_with_255_and_no_number_of_unknown_objects_are_refused(
    numbers: list[list[int]], values: MaskValues, refused: bool, tmp_path: Path
) -> None:
    paths = [write_mask(tmp_path / f"{place}.png", np.array([row])) for place, row in enumerate(numbers)]
    (tmp_path / "other").mkdir()
    other = write_mask(tmp_path / "other" / "a.png", np.array([values.unknown]))
    if not refused:
        check_void(values, [*paths, other])
        return
    with pytest.raises(UsageError, match=r"got 255 beside 0 .* add --unknown-mask 255 if .*, or --void-mask 255 if"):
        check_void(values, [*paths, other])


def test_mask_that_cannot_be_read_is_called_a_mask(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match="expected a mask image, could not read"):
        MaskValues().read(tmp_path / "a.png", 2, 2)
    with pytest.raises(UsageError, match="expected one byte a pixel in the mask"):
        MaskValues().read(write_mask(tmp_path / "b.png", np.zeros((2, 2, 3))), 2, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="expected PNG masks in the folders given by --masks, found none"):
        label_files([tmp_path / "empty"], MASKS)
