# SPDX-License-Identifier: Apache-2.0
"""No frame is scored by a detector that it fitted, and the threshold of the folds holds on new drives."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.calibration.conformal import set_threshold
from export.calibration.cross_fit import cross_fit_scores
from export.detectors.cross_fit import fold_numbers
from export.detectors.fit import fit_detector

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]


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

        point = set_threshold(cross_fit_scores(fold_numbers(names, 5, seed), fit), names, 0.05, folds=5)
        realised.append(float((-fit_detector("mahalanobis", rows).score_samples(new) > point.value).mean()))
        assert point.new_drives_low is not None
        assert point.new_drives_high is not None
        stated.append(point.new_drives_low <= realised[-1] <= point.new_drives_high)
    error = np.std(realised) / np.sqrt(len(realised))
    assert 0.03 < np.mean(realised) < 0.05 + 3 * error
    assert np.mean(stated) >= 0.88
