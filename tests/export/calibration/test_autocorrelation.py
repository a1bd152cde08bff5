# SPDX-License-Identifier: Apache-2.0
"""How many independent frames a video is worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.calibration.autocorrelation import autocorrelation_time, effective_frames
from tests.export.calibration.test_conformal import video


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_autocorrelation_time_of_a_known_process_is_the_known_one(correlation: float) -> None:
    """AR(1) has ``(1 + a) / (1 - a)``."""
    rng = np.random.default_rng(0)
    times = [autocorrelation_time(video(rng, 3000, correlation)) for _ in range(20)]
    assert np.mean(times) == pytest.approx((1 + correlation) / (1 - correlation), rel=0.2)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 60), st.integers(0, 2**32 - 1))
def test_autocorrelation_time_of_any_sequence_equals_a_plain_sum(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count).cumsum()
    centred = values - values.mean()
    correlations = [float(centred[: count - k] @ centred[k:] / (centred @ centred)) for k in range(count)]
    total = 0.0
    for k in range(0, count - 1, 2):
        pair = correlations[k] + correlations[k + 1]
        if pair <= 0:
            break
        total += pair
    assert autocorrelation_time(values) == pytest.approx(min(max(2 * total - 1, 1), count), rel=1e-6)


def test_effective_frames_of_several_drives_add_up_and_ignore_the_scale() -> None:
    rng = np.random.default_rng(1)
    one, two = video(rng, 400, 0.7), video(rng, 400, 0.7)
    names = ["a"] * 400 + ["b"] * 400
    whole = effective_frames(np.r_[one, two], names)
    assert whole == effective_frames(np.exp(np.r_[one, two]), names), "ranks alone count"
    assert 80 < whole < 260  # 800 / 5.7
    assert effective_frames(rng.normal(size=500), ["x"] * 500) > 350
    assert effective_frames(np.ones(50), ["x"] * 50) == 50
    assert effective_frames(np.array([1.0]), ["x"]) == 1


def test_effective_frames_of_a_still_video_are_few() -> None:
    still = np.repeat(np.random.default_rng(2).normal(size=8), 50)
    assert effective_frames(still, ["x"] * 400) < 25
