# SPDX-License-Identifier: Apache-2.0
"""Regions of masks against those of SciPy, for masks of every shape, and the rounds that the worst of them take."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from numpy.typing import NDArray
from scipy import ndimage

from lsood_runtime._maps.regions import find_regions

EIGHT = np.ones((3, 3))
MASKS = drawn.arrays(np.bool_, drawn.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def check_regions(mask: NDArray[np.bool_]) -> None:
    """Compare numbers, cells and counts with SciPy's, which counts from 1 in the same order."""
    labels, count = ndimage.label(mask, EIGHT)
    found = find_regions(mask)
    assert found.count == count
    np.testing.assert_array_equal(found.labels((mask.shape[0], mask.shape[1])), labels - 1)
    np.testing.assert_array_equal(found.sizes(), np.bincount(labels.ravel(), minlength=count + 1)[1:])


@given(mask=MASKS)
def test_regions_of_any_mask_are_those_of_scipy(mask: NDArray[np.bool_]) -> None:
    check_regions(mask)


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1), wide=st.booleans())
def test_regions_of_large_masks_are_those_of_scipy(share: float, seed: int, wide: bool) -> None:
    shape = (37, 90) if wide else (90, 37)
    check_regions(np.random.default_rng(seed).random(shape) < share)


def spiral(height: int, width: int) -> NDArray[np.bool_]:
    """One path of cells from the upper left corner inwards, with free cells between its turns."""
    mask = np.zeros((height, width), np.bool_)
    for edge in range(0, (min(height, width) + 1) // 2, 2):
        bottom, right = height - 1 - edge, width - 1 - edge
        mask[edge, max(edge - 2, 0) : right + 1] = mask[edge : bottom + 1, right] = True
        mask[bottom, edge : right + 1] = mask[min(edge + 2, bottom) : bottom + 1, edge] = True
    return mask


def snake(height: int, width: int) -> NDArray[np.bool_]:
    """Full rows, each joined with the next at alternating ends."""
    mask = np.zeros((height, width), np.bool_)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    return mask


ROWS, COLUMNS = np.indices((256, 512))
HARD = {
    "nothing": np.zeros((256, 512), np.bool_),
    "everything": np.ones((256, 512), np.bool_),
    "checkerboard": (ROWS + COLUMNS) % 2 == 0,
    "single cells": (ROWS % 2 == 0) & (COLUMNS % 2 == 0),
    "columns": COLUMNS % 2 == 0,
    "comb": (COLUMNS % 2 == 0) | (ROWS == 255),
    "spiral": spiral(256, 512),
    "snake of rows": snake(256, 512),
    "snake of columns": snake(512, 256).T,
}


@pytest.mark.parametrize("shape", HARD)
def test_regions_of_the_hardest_shapes_take_few_rounds(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = HARD[shape]
    sizes: list[int] = []
    unique = np.unique

    def counted(values: NDArray[np.int64], **options: Any) -> Any:
        sizes.append(len(values))
        return unique(values, **options)

    monkeypatch.setattr(np, "unique", counted)
    found = find_regions(mask)
    monkeypatch.undo()
    runs = len(found.rows)
    assert runs <= mask.shape[0] * (mask.shape[1] + 1) // 2
    assert len(sizes) - 1 <= math.ceil(math.log2(runs + 1)), "each round leaves at most half of the parts that touch"
    assert sum(sizes) <= 3 * runs + 1, "rounds on fewer and fewer parts, and a last look at all runs"
    labels, count = ndimage.label(mask, EIGHT)
    assert found.count == count
    np.testing.assert_array_equal(found.labels((256, 512)), labels - 1)


@given(mask=MASKS, data=st.data())
def test_kept_regions_are_numbered_in_the_order_given(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    found = find_regions(mask)
    order = data.draw(st.permutations(range(found.count)))
    chosen = np.array(order[: data.draw(st.integers(0, found.count))], np.int64)
    shape = (mask.shape[0], mask.shape[1])
    kept, labels = found.kept(chosen), found.labels(shape)
    expected = np.full(shape, -1)
    for number, region in enumerate(chosen):
        expected[labels == region] = number
    np.testing.assert_array_equal(kept.labels(shape), expected)
    np.testing.assert_array_equal(kept.sizes(), found.sizes()[chosen])
