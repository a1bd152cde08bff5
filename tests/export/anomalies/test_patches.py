# SPDX-License-Identifier: Apache-2.0
"""Patches replace a part of a frame, seeded, at every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.anomalies.patches import FILLINGS, patched


def _whole_lines(changed: NDArray[np.bool_], mask: NDArray[np.bool_]) -> bool:
    """Whether each row, where the mask is, has changed altogether or not at all."""
    shares = [line[own].mean() for line, own in zip(changed, mask, strict=True) if own.any()]
    return all(share == 0 or share > 0.9 for share in shares)


@settings(max_examples=30, deadline=None)
@given(st.integers(24, 90), st.integers(32, 120), st.sampled_from(FILLINGS), st.integers(0, 2**32 - 1))
def test_patched_frame_of_any_size_shows_a_patch_where_its_mask_is(
    height: int, width: int, filling: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame, other = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((height, width), (50, 70)))
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
    else:
        assert not mask.any() or changed[mask].mean() > 0.9
    assert mask.mean() < 0.5 or not mask.any()


@pytest.mark.parametrize("filling", FILLINGS)
def test_patched_frames_of_many_seeds_leave_most_of_the_picture_as_it_is(filling: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    masks, kept = [], []
    for seed in range(20):
        result, mask = patched(frame, frame[::-1], filling, np.random.default_rng(seed))
        masks.append(mask.mean())
        kept.append((result == frame).all(axis=2).mean())
    assert 0.02 < np.mean(masks) < 0.4
    assert np.mean(kept) > 0.4
