# SPDX-License-Identifier: Apache-2.0
"""Limits of the scores of frames: what few or many frames and drives can promise, and what is told of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.answers.frame_limit import LimitRule, fewest_units, frame_limit


@pytest.mark.parametrize(
    ("frames", "drives", "rate", "unit"),
    [(400, 200, 0.01, "drives"), (60, 30, 0.05, "drives"), (150, 3, 0.01, "frames"), (30, 3, 0.05, "frames")],
)
def test_frame_limit_takes_drives_and_the_smallest_rate_that_there_are_enough_of(
    frames: int, drives: int, rate: float, unit: str
) -> None:
    scores = np.random.default_rng(frames).normal(size=frames)
    rule = frame_limit(scores, [str(number % drives) for number in range(frames)], (0.01, 0.05))
    assert (rule.rule.rate, rule.rule.guarantee) == (rate, unit)
    assert (rule.frames, rule.drives) == (frames, drives)
    assert (scores > rule.limit).mean() <= rate


@pytest.mark.parametrize(("frames", "rate"), [(4, 1 / 5), (18, 1 / 19), (19, 0.05)])
def test_frame_limit_of_too_few_frames_is_the_largest_score_and_promises_what_that_can(
    frames: int, rate: float
) -> None:
    found = frame_limit(np.arange(float(frames)), ["a", "b"] * (frames // 2) + ["a"] * (frames % 2), (0.01, 0.05))
    assert (found.limit, found.rule.guarantee, found.rule.units) == (frames - 1.0, "frames", frames)
    assert found.rule.rate == pytest.approx(rate)


@pytest.mark.parametrize("frames", [4, 11])
def test_rate_that_few_frames_promise_is_the_one_that_their_limit_has(frames: int) -> None:
    rng, above, trials = np.random.default_rng(frames), [], 4000
    for _ in range(trials):
        scores = rng.normal(size=frames)
        found = LimitRule.of_drives(["a"] * frames, (0.05,))
        above.append(rng.normal() > scores.max())
    assert np.mean(above) == pytest.approx(found.rate, abs=4 * np.sqrt(found.rate / trials))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 30))
def test_frames_kept_are_those_below_the_limit_that_the_other_drives_set(seed: int, frames: int, drives: int) -> None:
    rng = np.random.default_rng(seed)
    scores, names = rng.normal(size=frames), rng.integers(0, drives, frames).astype(str)
    parts = names if len(set(names)) > 1 else np.repeat(np.arange(8), [len(p) for p in np.array_split(scores, 8)])
    found, kept = frame_limit(scores, names.tolist(), (0.05,), least=-1.0), []
    for part in np.unique(parts):
        others, own = scores[parts != part], scores[parts == part]
        units = names[parts != part] if found.rule.guarantee == "drives" else np.arange(len(others)).astype(str)
        weight = {unit: 1 / (units == unit).sum() / len(set(units)) for unit in units}
        count, rate = len(set(units)), found.rule.rate

        def is_above(limit: float, others=others, units=units, weight=weight) -> float:  # type: ignore[no-untyped-def]
            return float(sum(weight[unit] for score, unit in zip(others, units, strict=True) if score > limit))

        allowed = max(rate - (1 - rate) / count, 0)
        limit = min(score for score in others if is_above(score) <= allowed + 1e-9)
        weigh = 1 / len(own) / len(set(names)) if found.rule.guarantee == "drives" else 1 / frames
        kept += [weigh * (score <= max(limit, -1.0)) for score in own]
    assert found.kept == pytest.approx(sum(kept))


@given(st.floats(0.001, 0.9))
def test_fewest_units_are_the_fewest_that_promise_a_rate(rate: float) -> None:
    needed = fewest_units(rate)
    names = [str(number) for number in range(needed)]
    assert LimitRule.of_drives(["a"] * needed, (rate,)).rate == rate
    assert needed == 1 or LimitRule.of_drives(["a"] * (needed - 1), (rate,)).rate > rate
    assert needed == 1 or LimitRule.of_drives(names, (rate,)).guarantee == "drives"


def test_frame_limit_holds_its_rate_on_average_over_new_frames() -> None:
    rng, above = np.random.default_rng(5), []
    for _ in range(400):
        scores = rng.normal(size=40)
        above.append(rng.normal() > frame_limit(scores[:39], [str(number) for number in range(39)], (0.05,)).limit)
    assert np.mean(above) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
