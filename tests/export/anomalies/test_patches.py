# SPDX-License-Identifier: Apache-2.0
"""Patches replace a part of a frame, seeded, at every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.anomalies.kinds import KINDS
from export.anomalies.patch_fillings import FILLINGS, patch_filling
from export.anomalies.patch_shapes import patch_shape
from export.anomalies.patches import patched

ANY_FRAME = (st.integers(24, 90), st.integers(32, 120), st.sampled_from(FILLINGS), st.integers(0, 2**32 - 1))


def _noisy_frames(height: int, width: int, seed: int) -> list[NDArray[np.uint8]]:
    """A frame of this size, and one of another."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((height, width), (50, 70))]


def _whole_lines(changed: NDArray[np.bool_], mask: NDArray[np.bool_]) -> bool:
    """Whether each row, where the mask is, has changed altogether or not at all."""
    shares = [line[own].mean() for line, own in zip(changed, mask, strict=True) if own.any()]
    return all(share == 0 or share > 0.9 for share in shares)


@settings(max_examples=40, deadline=None)
@given(*ANY_FRAME)
def test_patched_frame_of_any_size_shows_a_patch_where_its_mask_is(
    height: int, width: int, filling: str, seed: int
) -> None:
    frame, other = _noisy_frames(height, width, seed)
    before = frame.copy()
    result, mask = patched(frame, other, filling, np.random.default_rng(seed))
    again, same = patched(frame, other, filling, np.random.default_rng(seed))
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(result, again)
    np.testing.assert_array_equal(mask, same)
    assert (result.shape, result.dtype.name, mask.shape, mask.dtype.name) == (
        frame.shape,
        "uint8",
        (height, width),
        "bool",
    )
    changed = (result != frame).any(axis=2)
    if filling == "lines":
        assert _whole_lines(changed, mask) or _whole_lines(changed.T, mask.T)
    elif filling not in ("specks", "film"):  # they show the picture between their spots
        assert not mask.any() or changed[mask].mean() > 0.9
    assert mask.mean() < 0.5 or not mask.any()


@settings(max_examples=40, deadline=None)
@given(*ANY_FRAME)
def test_patched_frame_is_its_filling_by_the_share_that_the_shape_covers(
    height: int, width: int, filling: str, seed: int
) -> None:
    frame, other = _noisy_frames(height, width, seed)
    result, mask = patched(frame, other, filling, np.random.default_rng(seed))
    rng, values = np.random.default_rng(seed), frame.astype(np.float32)
    shape = patch_shape(filling, height, width, rng)
    content = patch_filling(filling, values, other, rng)
    assert (shape.shape, shape.dtype.name, content.shape) == ((height, width), "float32", frame.shape)
    assert 0 <= shape.min() <= shape.max() <= 1
    np.testing.assert_array_equal(mask, shape > 0.5)
    np.testing.assert_array_equal(values, frame)
    np.testing.assert_array_equal(result[shape == 0], frame[shape == 0])
    share = shape[..., None].astype(np.float64)
    expected = np.clip(values * (1 - share) + content.astype(np.float64) * share, 0, 255)
    np.testing.assert_allclose(result, expected, atol=0.51)


@pytest.mark.parametrize("filling", FILLINGS)
def test_patched_frames_of_many_seeds_leave_most_of_the_picture_as_it_is(filling: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    masks, kept, inside = [], [], []
    for seed in range(20):
        result, mask = patched(frame, frame[::-1], filling, np.random.default_rng(seed))
        masks.append(mask.mean())
        same = (result == frame).all(axis=2)
        kept.append(same.mean())
        inside.append(1 - same[mask].mean())
    assert 0.02 < np.mean(masks) < 0.4
    assert np.mean(kept) > 0.3
    assert np.mean(inside) > 0.3


def test_fillings_are_named_once_and_as_no_kind_of_degradation() -> None:
    assert len(set(FILLINGS)) == len(FILLINGS)
    assert not set(FILLINGS) & set(KINDS)
