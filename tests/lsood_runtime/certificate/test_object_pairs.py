# SPDX-License-Identifier: Apache-2.0
"""Pairs of objects against every way to pair them, and overlaps against counted pixels."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import UnknownObject
from lsood_runtime._certificate.object_pairs import LEAST_OVERLAP, pair_objects

Box = tuple[int, int, int, int]

BOXES = st.lists(st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 7)] * 2), max_size=4)


def object_of(box: Box, class_id: int | None = None) -> UnknownObject:
    x, y, width, height = map(float, box)
    return UnknownObject(x, y, width, height, 0.1, 2.0, class_id, None, "centre")


def overlap_of_pixels(first: Box, second: Box) -> float:
    shown = np.zeros((2, 14, 14), np.bool_)
    for picture, (x, y, width, height) in zip(shown, (first, second), strict=True):
        picture[y : y + height, x : x + width] = True
    return float(shown.all(axis=0).sum() / shown.any(axis=0).sum())


@given(BOXES, BOXES)
def test_pairs_are_those_whose_overlaps_from_the_largest_down_are_largest(first: list[Box], second: list[Box]) -> None:
    best: list[float] = []
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    for chosen in itertools.permutations(longer, len(shorter)):
        overlaps = (overlap_of_pixels(one, other) for one, other in zip(chosen, shorter, strict=True))
        best = max(best, sorted((value for value in overlaps if value >= LEAST_OVERLAP), reverse=True))
    pairs = pair_objects([object_of(box) for box in first], [object_of(box) for box in second])
    found = [pair.overlap for pair in pairs]
    assert found == sorted(found, reverse=True)
    assert len(found) <= len(best)
    if len({overlap_of_pixels(one, other) for one in first for other in second}) == len(first) * len(second):
        np.testing.assert_allclose(found, best)  # without equal overlaps there is one way
    for each in ([pair.first for pair in pairs], [pair.second for pair in pairs]):
        assert len({id(item) for item in each}) == len(each), "an object has one partner"


@given(BOXES)
def test_objects_are_the_partners_of_the_same_ones(boxes: list[Box]) -> None:
    objects = [object_of(box) for box in boxes]
    assert [pair.overlap for pair in pair_objects(objects, objects)] == [1.0] * len(objects)
