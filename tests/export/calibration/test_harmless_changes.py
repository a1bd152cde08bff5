# SPDX-License-Identifier: Apache-2.0
"""Harmless changes are small ones, drawn from a seed, and change something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.calibration.harmless_changes import GAIN, HARMLESS, OFFSET, changed_harmlessly


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(range(len(HARMLESS))))
def test_changed_harmlessly_of_a_smooth_frame_is_near_it_and_the_same_for_the_same_seed(seed: int, way: int) -> None:
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0, 255, (2, 3))
    frame = np.linspace(ends[0], ends[1], 48).round().astype(np.uint8)[None].repeat(32, axis=0)
    changed = changed_harmlessly(frame, way, seed)
    assert changed.shape == frame.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(changed, changed_harmlessly(frame, way, seed))
    assert np.abs(changed.astype(float) - frame).mean() <= GAIN * 128 + OFFSET + 1


@pytest.mark.parametrize("way", range(len(HARMLESS)))
def test_changed_harmlessly_of_a_picture_with_texture_changes_it_by_less_than_a_tenth(way: int) -> None:
    frame = np.random.default_rng(3).integers(90, 166, (40, 64, 3), dtype=np.uint8)
    changed = changed_harmlessly(frame, way, 5)
    assert 0 < np.abs(changed.astype(float) - frame).mean() < 25.5


def test_changed_harmlessly_keeps_red_red() -> None:
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[..., 0] = 200
    for way in range(len(HARMLESS)):
        changed = changed_harmlessly(frame, way, 1).reshape(-1, 3).mean(axis=0)
        assert changed[0] > 180
        assert changed[1:].max() < 20
