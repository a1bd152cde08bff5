# SPDX-License-Identifier: Apache-2.0
"""Proven bounds: the target without a cross-fit, and no less than what the detectors of the folds do in a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.calibration.proven_bounds import new_drive_bound, proven_bound


@given(st.integers(20, 5000), st.floats(0.05, 0.9))
def test_proven_bound_of_equal_units_without_a_cross_fit_is_the_target(units: int, rate: float) -> None:
    for unit in ("frames", "drives"):
        assert proven_bound(units, 1 / units, rate, 0, unit) == pytest.approx(rate)


@given(st.integers(20, 5000), st.floats(0.05, 0.9), st.floats(1, 50), st.integers(2, 20))
def test_proven_bound_grows_with_unequal_units_and_with_folds(
    units: int, rate: float, times: float, folds: int
) -> None:
    heaviest = min(1.0, times / units)
    assert rate - 1e-12 <= proven_bound(units, heaviest, rate, 0, "drives") <= 1
    assert (
        proven_bound(units, heaviest, rate, folds, "drives") >= proven_bound(units, heaviest, rate, 0, "drives") - 1e-12
    )


def test_proven_bound_of_leaving_single_drives_out_is_below_twice_the_target() -> None:
    assert proven_bound(70, 1 / 70, 0.05, 70, "drives") == pytest.approx((2 * (71 * 0.05 - 1) + 1) / 71)
    assert proven_bound(70, 1 / 70, 0.05, 70, "drives") < 2 * 0.05


def test_proven_bound_of_five_folds_is_twice_the_mean_of_their_p_values() -> None:
    above = 0.05 * 71 - 1
    assert proven_bound(70, 1 / 70, 0.05, 5, "drives") == pytest.approx(2 * (above + 5) / (70 + 5))


def test_new_drive_bound_of_two_drives_says_nothing_after_a_cross_fit() -> None:
    assert new_drive_bound(0.05, 2, 0) == pytest.approx(1.1 / 3)
    assert new_drive_bound(0.05, 2, 2) == pytest.approx((2 * 0.1 + 1) / 3)
    assert new_drive_bound(0.5, 2, 2) == 1


def test_detectors_of_the_folds_in_a_simulation_stay_below_the_bound() -> None:
    """An unstable detector, the distance to the nearest training frame, in few dimensions: judged as the theorem says."""
    rng, drives, folds, rate, repeats = np.random.default_rng(0), 20, 4, 0.2, 300
    flagged = []
    for _ in range(repeats):
        means = 2 * rng.normal(size=(drives + 1, 2))
        frames = means[:, None] + rng.normal(size=(drives + 1, 4, 2))
        fold = rng.permutation(np.arange(drives) % folds)

        def distance(rows: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
            nearest: NDArray[np.float64] = np.linalg.norm(rows[..., None, :] - points.reshape(-1, 2), axis=-1).min(
                axis=-1
            )
            return nearest

        at_least = np.zeros(4)
        for k in range(folds):
            points = frames[:drives][fold != k]
            own, new = distance(frames[:drives][fold == k], points), distance(frames[drives], points)
            at_least += (own[None] >= new[:, None, None]).mean(axis=2).sum(axis=1)
        flagged.append(((1 + at_least) / (drives + 1) <= rate).mean())
    mean, error = np.mean(flagged), np.std(flagged) / np.sqrt(repeats)
    assert mean - 3 * error <= proven_bound(drives, 1 / drives, rate, folds, "drives")
    assert 0.1 < mean < 0.3, "near the target, far from the bound"
