# SPDX-License-Identifier: Apache-2.0
"""The choice of moments: how many, how far apart, in which order, against the rule applied to the whole drive at once."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime._cli.moments import Moment, Moments

SECOND = 10**9
Frame = tuple[str, int, float]

SCORES = st.floats(-1e6, 1e6) | st.integers(0, 5).map(float) | st.just(math.inf)
FRAMES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 200), SCORES), min_size=1, max_size=120).map(
    lambda frames: [(camera, tenths * 10**8, score) for camera, tenths, score in frames]
)


def choose(frames: Sequence[Frame], count: int) -> tuple[list[Frame], int, int]:
    """The frames that are shown, how far apart they are at least, and the most that were kept at any time."""
    moments, most = Moments[Frame](count), 0
    for camera, stamp, score in frames:
        moments.add(Moment(score, camera, stamp, (camera, stamp, score)))
        most = max(most, len(moments))
    shown, apart = moments.chosen()
    return [moment.picture for moment in shown], apart, most


def by_definition(frames: Sequence[Frame], count: int, apart: int) -> list[Frame]:
    """Take the highest score, strike out what is near it, and so on; NaN and infinity count as lower than every number."""
    left = [
        (-math.inf if math.isinf(score) else score, -i, frame) for i, frame in enumerate(frames) for score in [frame[2]]
    ]
    shown: list[Frame] = []
    while left and len(shown) < count:
        _, _, best = max(left, key=lambda entry: entry[:2])
        shown.append(best)
        struck = [
            entry
            for entry in left
            if entry[2] is best or (entry[2][0] == best[0] and abs(entry[2][1] - best[1]) < apart)
        ]
        left = [entry for entry in left if entry not in struck]
    return shown


@settings(deadline=None)
@given(FRAMES, st.integers(1, 6))
def test_moments_of_any_drive_are_as_many_as_asked_apart_and_in_order(frames: list[Frame], count: int) -> None:
    shown, apart, most = choose(frames, count)
    assert len(shown) == min(count, len(frames))
    finite = [score for *_, score in shown if math.isfinite(score)]
    assert finite == sorted(finite, reverse=True)
    assert [math.isinf(score) for *_, score in shown] == sorted(math.isinf(score) for *_, score in shown)
    if finite:
        assert finite[0] == max(score for *_, score in frames if math.isfinite(score))
    assert all(a[0] != b[0] or abs(a[1] - b[1]) >= apart for i, a in enumerate(shown) for b in shown[:i])
    assert most <= 8 * count


@settings(deadline=None)
@given(FRAMES, st.integers(1, 6))
def test_moments_of_a_drive_in_order_equal_the_rule_applied_at_once(frames: list[Frame], count: int) -> None:
    """As long as nothing had to be thinned, forgetting as the drive goes changes nothing."""
    frames = sorted(frames[: 8 * count], key=lambda frame: frame[1])
    apart = SECOND
    while len(expected := by_definition(frames, count, apart)) < min(count, len(frames)):
        apart //= 2
    shown, stated, _ = choose(frames, count)
    assert shown == expected
    assert stated == apart or len(frames) < count


SHAPES: dict[str, Callable[[int, int], float]] = {
    "rising": lambda i, _: float(i),
    "falling": lambda i, _: float(-i),
    "still": lambda _, __: 1.0,
    "random": lambda i, seed: float(np.random.default_rng([seed, i]).normal()),
    "sawtooth": lambda i, seed: float(i % (31 + seed)),
    "hills": lambda i, seed: math.sin(i / (20 + seed)) + i * 1e-4,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("rate", "count"), [(30, 12), (10, 5), (7, 2), (1, 12)])
def test_moments_of_a_long_drive_are_a_second_apart_and_not_one_alone(shape: str, rate: int, count: int) -> None:
    frames = [("front", i * SECOND // rate, SHAPES[shape](i, rate)) for i in range(3 * count * rate)]
    shown, apart, most = choose(frames, count)
    assert (len(shown), apart) == (count, SECOND)
    assert shown[0][2] == max(score for *_, score in frames)
    assert most <= 8 * count
    if shape == "rising":
        stamps = sorted(stamp for _, stamp, _ in shown)
        assert stamps[0] >= frames[-1][1] - 2 * count * SECOND, "the highest scores are at the end"


@given(st.integers(1, 40), st.integers(1, 16), st.floats(0.5, 120))
def test_moments_of_a_short_folder_at_any_rate_are_as_many_as_asked(images: int, count: int, rate: float) -> None:
    """Twelve images at ten a second are twelve pictures, whatever rate was invented for them."""
    frames = [("camera", round(i * SECOND / rate), float(i * 7 % 11)) for i in range(images)]
    shown, _, _ = choose(frames, count)
    assert len(shown) == min(images, count)


def test_moments_of_frames_without_a_score_give_way_to_those_with_one() -> None:
    black = [("front", i * SECOND, math.inf) for i in range(100)]
    good = [("front", (100 + i) * SECOND, float(i)) for i in range(3)]
    shown, _, _ = choose([*black, *good], 4)
    assert [score for *_, score in shown] == [2.0, 1.0, 0.0, math.inf]
