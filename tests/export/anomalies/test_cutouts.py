# SPDX-License-Identifier: Apache-2.0
"""Objects that are pasted on frames: seeded, at every size, where they are wanted, in two families that share nothing."""

import io
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from export.anomalies.cutouts import FAMILIES, ON_PLACE, grain, paste_objects
from export.anomalies.jpeg_coding import coded_as_jpeg
from export.anomalies.object_fillings import FILLINGS
from export.anomalies.object_shapes import SHAPES, drawn_shape

NOWHERE = np.zeros((0, 2))
_BLOCK, _REACH = 16, 2
"""Pixels of a side that JPEG codes together at 4:2:0; how far a pixel is smoothed into the next block when it is read."""


def _coded_apart(objects: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a frame that no block with an object reaches when it is coded."""
    height, width = objects.shape
    touched = np.zeros_like(objects)
    for top, left in product(range(0, height, _BLOCK), range(0, width, _BLOCK)):
        if objects[top : top + _BLOCK, left : left + _BLOCK].any():
            touched[max(top - _REACH, 0) : top + _BLOCK + _REACH, max(left - _REACH, 0) : left + _BLOCK + _REACH] = True
    return ~touched


@settings(max_examples=25, deadline=None)
@given(st.integers(12, 90), st.integers(16, 120), st.sampled_from(FAMILIES), st.integers(0, 2**32 - 1))
def test_pasted_frame_of_any_size_is_changed_under_its_objects_and_the_same_for_the_same_seed(
    height: int, width: int, family: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame, other = (np.full((*size, 3), rng.integers(60, 200), np.uint8) for size in ((height, width), (50, 70)))
    before = frame.copy()
    first, again = (paste_objects(frame, other, family, NOWHERE, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(first.frame, again.frame)
    np.testing.assert_array_equal(first.cover, again.cover)
    assert (first.frame.shape, first.frame.dtype.name, first.cover.shape) == (frame.shape, "uint8", (height, width))
    assert first.cover.min() >= 0
    assert first.cover.max() <= 1 + 1e-6
    apart = np.abs(first.frame.astype(int) - frame).max(axis=2)[_coded_apart(first.cover > 0)]
    assert (apart <= 3).all()  # the coding alone


def test_families_have_no_shape_and_no_filling_in_common() -> None:
    assert not set(SHAPES["learn"]) & set(SHAPES["judge"])
    assert not set(FILLINGS["learn"]) & set(FILLINGS["judge"])
    assert tuple(SHAPES) == tuple(FILLINGS) == FAMILIES


@pytest.mark.parametrize("kind", [kind for kinds in SHAPES.values() for kind in kinds])
@pytest.mark.parametrize("side", [4, 40])
def test_shapes_of_many_seeds_fill_a_part_of_their_picture(kind: str, side: int) -> None:
    shares = []
    for seed in range(20):
        shape = drawn_shape(kind, side, np.random.default_rng(seed))
        assert shape.min() >= 0
        assert shape.max() <= 1
        assert min(shape.shape) >= 3
        shares.append(float((shape > 0.5).mean()))
    assert 0.15 < np.mean(shares) < 0.95


def test_objects_that_are_wanted_in_one_place_mostly_stand_there() -> None:
    frame, hits = np.full((60, 80, 3), 120, np.uint8), []
    for seed in range(60):
        pasted = paste_objects(frame, frame, "learn", np.array([[45.0, 20.0]]), np.random.default_rng(seed))
        hits.append(pasted.cover[40:50, 15:25].max() > 0.5)
    assert np.mean(hits) >= ON_PLACE - 0.1


def test_coded_frame_is_that_of_pillow_read_back() -> None:
    ramp = np.rint(np.linspace(0, 255, 48 * 64 * 3)).astype(np.uint8).reshape(48, 64, 3)
    mine = coded_as_jpeg(ramp, 85)
    code = io.BytesIO()
    Image.fromarray(ramp).save(code, "jpeg", quality=85, subsampling="4:2:0")
    theirs = np.asarray(Image.open(code).convert("RGB"))
    assert np.abs(mine.astype(int) - theirs).mean() < 2


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 30), st.integers(0, 2**32 - 1))
def test_grain_of_a_noisy_slope_is_the_deviation_of_its_noise(deviation: float, seed: int) -> None:
    slope = np.linspace(0, 90, 80)[:, None, None] * np.ones((1, 90, 3))
    noisy = slope + np.random.default_rng(seed).normal(0, deviation, slope.shape)
    assert grain(noisy) == pytest.approx(deviation, rel=0.05)
    assert grain(slope) == pytest.approx(0, abs=1e-6)
    assert grain(noisy[:2]) == 0
