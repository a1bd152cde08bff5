# SPDX-License-Identifier: Apache-2.0
"""How many independent frames a video is worth."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.calibration.autocorrelation import autocorrelation_time, effective_frames, hold_still
from tests.export.calibration.test_conformal import video

Scores = NDArray[np.float64]


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
    assert effective_frames(np.ones(50), ["x"] * 50) == 1
    assert effective_frames(np.repeat([1.0, 2.0], 50), ["x"] * 50 + ["y"] * 50) == 2
    assert effective_frames(np.array([1.0]), ["x"]) == 1


def test_effective_frames_of_a_still_video_are_few() -> None:
    still = np.repeat(np.random.default_rng(2).normal(size=8), 50)
    assert effective_frames(still, ["x"] * 400) < 25


@pytest.mark.parametrize("count", [100, 400])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("transform", [np.asarray, np.exp], ids=["normal", "lognormal"])
def test_effective_frames_of_an_autoregression_are_those_of_theory(
    count: int, rho: float, transform: Callable[[Scores], Scores]
) -> None:
    """``n (1 - rho) / (1 + rho)``, within a fifth and one frame; of 100 frames at 0.95, worth 2.6, within two frames."""
    rng = np.random.default_rng([count, round(100 * rho)])
    found = [effective_frames(transform(video(rng, count, rho)), ["x"] * count) for _ in range(200)]
    assert np.mean(found) == pytest.approx(count * (1 - rho) / (1 + rho), rel=0.2, abs=1 if rho < 0.9 else 2.5)


def test_effective_frames_of_many_drives_are_those_of_theory() -> None:
    """Each with a level of its own: the correlation that they have in common is told by all of them."""
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        drives = [video(rng, 20, 0.7) + rng.normal() for _ in range(15)]
        found.append(effective_frames(np.concatenate(drives), [f"d{i // 20}" for i in range(300)]))
    assert np.mean(found) == pytest.approx(300 * 0.3 / 1.7, rel=0.25)


@given(st.integers(1, 50), st.integers(1, 5), st.floats(-1e3, 1e3))
def test_effective_frames_of_constant_drives_is_one_a_drive(frames: int, drives: int, level: float) -> None:
    scores, names = np.full(frames * drives, level), [f"d{i % drives}" for i in range(frames * drives)]
    assert effective_frames(scores, names) == pytest.approx(drives)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1, max_size=40), st.integers(0, 1000))
def test_hold_still_gives_a_frame_the_score_of_the_last_that_moved(frames: list[tuple[str, bool]], seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=len(frames))
    drives, still = [drive for drive, _ in frames], np.array([flag for _, flag in frames])
    held = hold_still(scores, drives, still)
    for i, (drive, _) in enumerate(frames):
        own = [j for j in range(i + 1) if drives[j] == drive]
        moved = [j for j in own if not still[j] or j == own[0]]
        assert held[i] == scores[moved[-1]]
