# SPDX-License-Identifier: Apache-2.0
"""Intervals of the rate on new drives cover it, over many calibrations with drives that differ, of any size and number."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm

from export.calibration.conformal import set_threshold

Scores = NDArray[np.float64]


def calibration(rng: np.random.Generator, drives: int, effect: float, sizes: str) -> tuple[Scores, list[str]]:
    """Scores of drives with a level of their own, of variance ``effect`` beside 1 within a drive."""
    count = np.full(drives, 30) if sizes == "equal" else np.maximum(1, np.exp(rng.normal(2, 1.2, drives))).astype(int)
    drive = np.repeat(np.arange(drives), count)
    return effect * rng.normal(size=drives)[drive] + rng.normal(size=len(drive)), [f"{i}" for i in drive]


@pytest.mark.parametrize("weigh", ["frames", "drives"])
@pytest.mark.parametrize("sizes", ["equal", "unequal"])
@pytest.mark.parametrize(("drives", "effect"), [(2, 0.5), (5, 0.5), (20, 0.5), (20, 2), (70, 0.5), (70, 2)])
def test_new_drives_interval_covers_the_rate_of_unseen_drives(
    drives: int, effect: float, sizes: str, weigh: str
) -> None:
    rng, inside = np.random.default_rng(1), []
    for _ in range(120):
        scores, names = calibration(rng, drives, effect, sizes)
        if len(scores) < 19:
            continue
        point = set_threshold(scores, names, 0.05, weigh=weigh)
        assert point.new_drives_low is not None
        assert point.new_drives_high is not None
        true = norm.sf(point.value / np.sqrt(1 + effect**2))
        inside.append(point.new_drives_low <= true <= point.new_drives_high)
    misses = len(inside) - sum(inside)
    assert misses <= binom.ppf(0.999, len(inside), 0.07)


def test_new_drives_interval_of_drives_that_differ_is_wider_than_that_of_known_ones() -> None:
    rng = np.random.default_rng(2)
    widths = []
    for effect in (0, 2):
        points = [set_threshold(*calibration(rng, 20, effect, "equal"), 0.1) for _ in range(30)]
        widths.append(np.mean([point.new_drives_high - point.new_drives_low for point in points]))  # type: ignore[operator]
        known = np.mean([point.rate_high - point.rate_low for point in points])
    assert widths[1] > 1.5 * widths[0]
    assert widths[1] > 1.5 * known


def test_new_drives_interval_narrows_with_drives_not_with_frames() -> None:
    rng = np.random.default_rng(3)

    def width(drives: int, frames: int) -> float:
        found = []
        for _ in range(30):
            drive = np.repeat(np.arange(drives), frames)
            scores = 2 * rng.normal(size=drives)[drive] + rng.normal(size=len(drive))
            point = set_threshold(scores, [f"{i}" for i in drive], 0.1)
            found.append(point.new_drives_high - point.new_drives_low)  # type: ignore[operator]
        return float(np.mean(found))

    assert width(10, 80) > 0.7 * width(10, 20)
    assert width(40, 20) < 0.7 * width(10, 80)


def test_set_threshold_of_equal_scores_flags_none_of_them_and_states_intervals() -> None:
    point = set_threshold(np.ones(40), ["a", "b"] * 20, 0.05)
    assert point.value == 1
    assert point.new_drives_expected == 0
    for low, high in ((point.rate_low, point.rate_high), (point.new_drives_low, point.new_drives_high)):
        assert low is not None
        assert high is not None
        assert 0 <= low < high <= 1
