# SPDX-License-Identifier: Apache-2.0
"""Folds are dealt by lot, whole drives at a time, and no frame is scored by a detector that it fitted."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.calibration.conformal import set_threshold
from export.calibration.cross_fit import cross_fit_scores, deal_folds
from export.detectors.fit import fit_detector
from export.errors import CalibrationError

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=30),
    folds=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_deal_folds_of_several_drives_deals_them_whole_and_evenly(sizes: list[int], folds: int, seed: int) -> None:
    drives = [f"{i}" for i, size in enumerate(sizes) for _ in range(size)]
    fold = deal_folds(drives, folds, seed)
    of_drive = {name: {int(k) for k, drive in zip(fold, drives, strict=True) if drive == name} for name in drives}
    assert all(len(found) == 1 for found in of_drive.values()), "a drive lies in one fold"
    counts = Counter(k for found in of_drive.values() for k in found)
    assert set(counts) == set(range(min(folds, len(sizes))))
    assert max(counts.values()) - min(counts.values()) <= 1
    np.testing.assert_array_equal(fold, deal_folds(drives, folds, seed))


def test_deal_folds_of_unequal_drives_pairs_small_and_large_by_lot() -> None:
    """Folds that went by size would always leave the two small drives out together, or never."""
    drives = ["a"] + ["b"] + ["c"] * 50 + ["d"] * 50
    together = sum(deal_folds(drives, 2, seed)[0] == deal_folds(drives, 2, seed)[1] for seed in range(300))
    assert 60 < together < 140  # one in three


@given(st.integers(2, 200), st.integers(2, 12))
def test_deal_folds_of_one_drive_are_contiguous_blocks(count: int, folds: int) -> None:
    fold = deal_folds(["x"] * count, folds)
    assert set(fold) == set(range(min(folds, count)))
    assert (np.diff(fold) >= 0).all()
    assert np.ptp(np.bincount(fold)) <= 1


def test_deal_folds_of_one_frame_is_refused() -> None:
    with pytest.raises(CalibrationError, match="at least 2 frames to leave some out, got 1"):
        deal_folds(["x"], 5)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40))
def test_cross_fit_scores_never_score_a_frame_by_its_own_fold(fold: list[int]) -> None:
    folds, fits = np.array(fold), []

    def fit(indices: Indices) -> Callable[[Indices], Scores]:
        fits.append(set(indices))

        def score(left_out: Indices) -> Scores:
            assert not set(left_out) & set(indices)
            assert set(left_out) | set(indices) == set(range(len(folds)))
            return left_out.astype(np.float64)

        return score

    scores = cross_fit_scores(folds, fit)
    np.testing.assert_array_equal(scores, np.flatnonzero(folds >= 0))
    assert len(fits) == len(set(folds[folds >= 0]))


@pytest.mark.parametrize(("drives", "effect"), [(20, 0.5), (20, 1.5), (60, 1.5)])
def test_cross_fit_over_many_calibrations_holds_the_rate_on_new_drives(drives: int, effect: float) -> None:
    """The detector that was fitted on all frames, with the threshold of the folds, on drives that nobody has seen."""
    rng, realised, stated = np.random.default_rng(0), [], []

    def draw(count: int) -> NDArray[np.float64]:
        return (effect * rng.normal(size=(count, 1, 4)) + rng.normal(size=(count, 8, 4))).reshape(-1, 4)

    new = draw(3000)
    for seed in range(60):
        rows, names = draw(drives), [f"{i}" for i in range(drives) for _ in range(8)]

        def fit(indices: Indices, rows: NDArray[np.float64] = rows) -> Callable[[Indices], Scores]:
            detector = fit_detector("mahalanobis", rows[indices])
            return lambda scored: -detector.score_samples(rows[scored])

        point = set_threshold(cross_fit_scores(deal_folds(names, 5, seed), fit), names, 0.05, folds=5)
        realised.append(float((-fit_detector("mahalanobis", rows).score_samples(new) > point.value).mean()))
        assert point.new_drives_low is not None
        assert point.new_drives_high is not None
        stated.append(point.new_drives_low <= realised[-1] <= point.new_drives_high)
    error = np.std(realised) / np.sqrt(len(realised))
    assert 0.03 < np.mean(realised) < 0.05 + 3 * error
    assert np.mean(stated) >= 0.88
