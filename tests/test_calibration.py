# SPDX-License-Identifier: Apache-2.0
"""Splits, thresholds and their guarantee."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.calibration import calibrate, conformal_threshold, fit_detector, held_out_frames
from export.errors import CalibrationError


@given(st.integers(8, 500))
def test_held_out_frames_are_two_contiguous_eighths(count: int) -> None:
    held_out = held_out_frames(count)
    assert len(np.unique(held_out)) == len(held_out)
    assert abs(len(held_out) - count / 4) <= 2
    assert (np.diff(held_out) > 1).sum() == 1  # two runs of neighbours, no more
    assert held_out.min() > 0
    assert held_out.max() < count - 1


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.sampled_from([0.01, 0.05, 0.1, 0.25, 0.5]), st.integers(0, 2**32 - 1))
def test_threshold_is_numpys_conformal_quantile(count: int, rate: float, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=count)
    if round((count + 1) * rate, 9) < 1:
        with pytest.raises(CalibrationError, match=f"got {count}"):
            conformal_threshold(scores, rate)
        return
    threshold = conformal_threshold(scores, rate)
    exceeding = (scores > threshold).sum()
    assert threshold in scores
    assert exceeding <= rate * (count + 1) + 1e-9  # the guarantee, in counts
    lower = np.sort(scores)[np.flatnonzero(np.sort(scores) == threshold)[0] - 1]
    if lower < threshold:
        assert (scores > lower).sum() + 1 > rate * (count + 1) - 1e-9  # and no smaller score would hold it


def test_false_alarms_stay_below_the_target_on_average() -> None:
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(2000):
        scores = rng.normal(size=59)
        rates.append((rng.normal(size=100) > conformal_threshold(scores, 0.05)).mean())
    assert np.mean(rates) <= 0.05 + 3 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) > 0.04  # 3 of 60 places lie above the threshold: the bound is met, not undercut


def test_the_needed_number_of_frames_is_said_and_is_enough() -> None:
    with pytest.raises(CalibrationError, match="at least 19 held-out frames"):
        conformal_threshold(np.arange(18.0), 0.05)
    assert conformal_threshold(np.arange(19.0), 0.05) == 18


def test_held_out_frames_do_not_fit_the_density() -> None:
    entropies = np.random.default_rng(0).normal(size=(120, 6))
    calibration = calibrate(entropies, 0.1)
    moved = entropies.copy()
    moved[calibration.held_out] += 100
    np.testing.assert_array_equal(calibrate(moved, 0.1).density.points_, calibration.density.points_)
    assert calibrate(moved, 0.1).threshold > calibration.threshold + 100
    np.testing.assert_array_equal(
        calibration.scores, np.sort(-calibration.detector.score_samples(entropies[calibration.held_out]))
    )


def test_pca_is_repeatable() -> None:
    entropies = np.random.default_rng(0).normal(size=(200, 600))
    first, second = (fit_detector(entropies, 20, seed=3).score_samples(entropies) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("entropies", "rate", "pca", "message"),
    [
        (np.zeros((1, 4)), 0.05, None, "at least 19"),
        (np.ones((100, 4)), 0.1, None, "identical"),
        (np.random.default_rng(0).normal(size=(8, 4)), 0.5, None, "at least 10 points"),
        (np.random.default_rng(0).normal(size=(100, 4)), 0.1, 5, "1 to 4 PCA components"),
        (np.random.default_rng(0).normal(size=(100, 4)), 1.5, None, "between 0 and 1"),
        (np.where(np.eye(100, 4) == 1, np.nan, 0.5), 0.1, None, "frame 0"),
    ],
)
def test_frames_that_carry_no_calibration_are_refused(
    entropies: np.ndarray, rate: float, pca: int | None, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibrate(entropies, rate, pca)
