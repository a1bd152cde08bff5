# SPDX-License-Identifier: Apache-2.0
"""Metrics by component on cases worked out by hand, and against a slow implementation from the paper's definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn
from numpy.typing import NDArray

from export.evaluation.component_metrics import LEVELS, Components

Places = frozenset[tuple[int, int]]
Pixels = NDArray[np.bool_]


def flood(pixels: Pixels) -> list[Places]:
    """The components, each a set of places, found by walking from pixel to pixel."""
    left = {(int(row), int(column)) for row, column in np.argwhere(pixels)}
    components = []
    while left:
        border, component = [left.pop()], set()
        while border:
            row, column = border.pop()
            component.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            border += near
        components.append(frozenset(component))
    return components


def slow_metrics(unknown: Pixels, found: Pixels, void: Pixels) -> tuple[list[Fraction], list[Fraction]]:
    """Sorted sIoU of every object and PPV of every found component, by equations 2 and 4 of the paper."""
    objects, pieces = flood(unknown & ~void), flood(found & ~void)
    siou = []
    for each in objects:
        touching: Places = frozenset().union(*(piece for piece in pieces if piece & each))
        others: Places = frozenset().union(*(other for other in objects if other != each))
        siou.append(Fraction(len(each & touching), len((each | touching) - (others & touching))))
    every: Places = frozenset().union(*objects)
    return sorted(siou), sorted(Fraction(len(piece & every), len(piece)) for piece in pieces)


def picture(text: str) -> tuple[Pixels, Pixels, Pixels]:
    """Unknown, found and void pixels: ``u`` unknown alone, ``f`` found alone, ``b`` both, ``v`` void, ``w`` found void."""
    letters = np.array([list(row) for row in text.split()])
    return np.isin(letters, ["u", "b"]), np.isin(letters, ["f", "b", "w"]), np.isin(letters, ["v", "w"])


@pytest.mark.parametrize(
    ("text", "siou", "ppv"),
    [
        ("....  ....", [], []),
        ("bb..  bb..", [1], [1]),
        ("ub..  ub..", [1 / 2], [1]),
        ("bf..  bf..", [1 / 2], [1 / 2]),
        ("uu.f  uu.f", [0], [0]),
        ("bfb.  bfb.", [1 / 2, 1 / 2], [2 / 3]),  # one piece over two objects: the other object is no error of either
        ("b.b.  uuu.", [2 / 5], [1, 1]),  # two pieces of one object count together
        ("bwv.  bvv.", [1], [1]),  # what is found in the void is not counted
        ("bvb.  .v..", [1, 1], [1, 1]),  # the void parts objects and pieces
        ("b...  .b..", [1], [1]),  # pixels that touch by a corner are one
    ],
)
def test_components_of_cases_worked_out_by_hand(text: str, siou: list[float], ppv: list[float]) -> None:
    found = Components.of_frame(*picture(text))
    assert sorted(found.siou) == pytest.approx(sorted(siou))
    assert sorted(found.ppv) == pytest.approx(sorted(ppv))


SHAPES = st.shared(drawn.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), key="shape")


@settings(deadline=None)
@given(
    unknown=drawn.arrays(np.bool_, SHAPES), found=drawn.arrays(np.bool_, SHAPES), void=drawn.arrays(np.bool_, SHAPES)
)
def test_components_of_any_masks_are_those_of_the_paper(unknown: Pixels, found: Pixels, void: Pixels) -> None:
    siou, ppv = slow_metrics(unknown, found, void)
    fast = Components.of_frame(unknown, found, void)
    np.testing.assert_allclose(sorted(fast.siou), np.array(siou, float), rtol=1e-12)
    np.testing.assert_allclose(sorted(fast.ppv), np.array(ppv, float), rtol=1e-12)


@settings(deadline=None)
@given(
    unknown=drawn.arrays(np.bool_, SHAPES),
    found=drawn.arrays(np.bool_, SHAPES),
    void=drawn.arrays(np.bool_, SHAPES),
    smallest=st.integers(1, 5),
)
def test_small_pieces_of_found_components_that_void_cuts_do_not_count(
    unknown: Pixels, found: Pixels, void: Pixels, smallest: int
) -> None:
    kept = found.copy()
    for whole in flood(found):
        left = np.zeros_like(found)
        left[tuple(np.array(sorted(whole)).T)] = True
        for piece in flood(left & ~void) if (left & void).any() else []:
            if len(piece) < smallest and not any(unknown[place] for place in piece):
                kept[tuple(np.array(sorted(piece)).T)] = False
    siou, ppv = slow_metrics(unknown, kept, void)
    fast = Components.of_frame(unknown, found, void, smallest)
    np.testing.assert_allclose(sorted(fast.siou), np.array(siou, float), rtol=1e-12)
    np.testing.assert_allclose(sorted(fast.ppv), np.array(ppv, float), rtol=1e-12)


@given(siou=st.lists(st.floats(0, 1), max_size=9), ppv=st.lists(st.floats(0, 1), max_size=9))
def test_mean_f1_is_the_mean_over_the_levels_of_all_frames_together(siou: list[float], ppv: list[float]) -> None:
    halves = [Components(np.array(siou[start::2], float), np.array(ppv[start::2], float)) for start in (0, 1)]
    joined = Components.of_frames(halves)
    scores = []
    for level in np.linspace(0.25, 0.75, 11).round(2):
        caught = sum(value >= level for value in siou)
        false, missed = sum(value < level for value in ppv), len(siou) - caught
        if caught + missed + false:
            scores.append(2 * caught / (2 * caught + missed + false))
        assert joined.caught(level) == caught
        assert joined.false(level) == false
    assert tuple(np.linspace(0.25, 0.75, 11).round(2)) == LEVELS
    assert joined.mean_f1 == (pytest.approx(np.mean(scores)) if scores else None)
    assert joined.mean_siou == (pytest.approx(np.mean(siou)) if siou else None)
    assert joined.mean_ppv == (pytest.approx(np.mean(ppv)) if ppv else None)


def test_components_of_no_frame_have_no_figures() -> None:
    nothing = Components.of_frames([])
    assert (nothing.mean_f1, nothing.mean_siou, nothing.mean_ppv) == (None, None, None)
