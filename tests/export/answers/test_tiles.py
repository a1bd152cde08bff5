# SPDX-License-Identifier: Apache-2.0
"""Abnormal tiles against densities of SciPy, and their limits against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from export.answers.fit_tiles import FALSE_ALARM_RATE, abnormality_left_out, calibrate_tiles
from export.answers.rows import PatchedRows
from export.answers.tiles import COVERED, RIDGE, fit_tiles, grid_of
from export.errors import CalibrationError
from export.features.key import PICTURE, FeatureKey
from tests.export.answers.drawn_tiles import GRID, TILE_WIDTHS, draw_tiles

KEYS = tuple(TILE_WIDTHS)


def _numbers(rows: PatchedRows) -> NDArray[np.float64]:
    """``(N, T, D)``."""
    tiles = GRID[0] * GRID[1]
    return np.concatenate([rows.values[key].reshape(len(rows), tiles, -1) for key in KEYS], axis=2).astype(np.float64)


def _by_scipy(fitted_on: PatchedRows, rows: PatchedRows) -> NDArray[np.float64]:
    """The definition, written anew: densities of Gaussians with one covariance."""
    raw = _numbers(fitted_on)
    middle = np.median(raw[fitted_on.filling == ""], axis=0)
    apart = (raw - middle)[fitted_on.filling == ""].reshape(-1, raw.shape[2])
    scale = (np.quantile(apart, 0.84, axis=0) - np.quantile(apart, 0.16, axis=0)) / 2

    def columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
        own = np.arcsinh((values - middle) / scale)
        return np.concatenate([own, np.repeat(own.mean(axis=1, keepdims=True), own.shape[1], axis=1)], axis=2)

    x, under = columns(raw), fitted_on.cover.reshape(len(raw), -1) >= COVERED
    groups = [x[fitted_on.filling == ""].reshape(-1, x.shape[2])]
    groups += [x[fitted_on.filling == name][under[fitted_on.filling == name]] for name in ("flat", "grain")]
    within = np.concatenate([group - group.mean(axis=0) for group in groups])
    covariance = np.cov(within.T, bias=True)
    covariance = (1 - RIDGE) * covariance + RIDGE * np.diag(covariance.diagonal()) + 1e-9 * np.eye(len(covariance))
    new = columns(_numbers(rows)).reshape(-1, x.shape[2])
    clean, *others = (multivariate_normal(group.mean(axis=0), covariance).logpdf(new) for group in groups)
    odds = sum(np.exp(other - clean) for other in others) / len(others)
    return np.asarray(np.log1p(odds)).reshape(-1, *GRID)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 8))
def test_abnormality_of_drawn_tiles_is_that_of_gaussian_densities(seed: int, effect: float) -> None:
    rows, new = draw_tiles(seed, 6, 5, effect), draw_tiles(seed ^ 1, 2, 3, effect)
    fitted = fit_tiles(rows.values, KEYS, rows.cover, rows.filling)
    np.testing.assert_allclose(fitted.abnormality(new.values), _by_scipy(rows, new), rtol=1e-6, atol=1e-9)


def test_abnormality_of_a_number_that_is_not_finite_is_nan_in_that_frame_alone() -> None:
    rows, new = draw_tiles(0, 6, 5), draw_tiles(1, 2, 3)
    fitted = fit_tiles(rows.values, KEYS, rows.cover, rows.filling)
    before = fitted.abnormality(new.values)
    for value in (np.nan, np.inf, -np.inf):
        new.values[KEYS[1]][4, 7] = value
        after = fitted.abnormality(new.values)
        assert np.isnan(after[4]).all()
        np.testing.assert_array_equal(np.delete(after, 4, 0), np.delete(before, 4, 0))


def test_limits_of_many_drives_keep_clean_frames_of_new_drives() -> None:
    kept = []
    for seed in range(6):
        calibrated = calibrate_tiles(draw_tiles(seed, 40, 3, 3.0), 0)
        assert calibrated.record.guarantee == "drives"
        assert math.log(2) <= calibrated.record.neighbor_limit <= calibrated.record.limit
        new = draw_tiles(seed + 100, 60, 3, 3.0)
        largest = calibrated.fitted.abnormality(new.chosen(new.clean).values).max(axis=(1, 2))
        kept.append(float((largest <= calibrated.record.limit).mean()))
    assert np.mean(kept) >= 1 - FALSE_ALARM_RATE - 0.01


def test_limit_of_few_drives_speaks_of_frames_and_finds_patches() -> None:
    calibrated, new = calibrate_tiles(draw_tiles(0, 4, 10, 10.0), 0), draw_tiles(5, 4, 10, 10.0)
    assert calibrated.record.guarantee == "frames"
    assert (calibrated.record.rows, calibrated.record.columns, calibrated.record.layers) == (
        *GRID,
        ("layer1", "layer2"),
    )
    found = calibrated.fitted.abnormality(new.values) > calibrated.record.limit
    assert found[new.cover >= COVERED].mean() > 0.95
    assert found[new.filling == ""].mean() < 0.02


def test_abnormality_left_out_is_that_of_fits_without_the_drive() -> None:
    rows = draw_tiles(0, 3, 5)
    found = abnormality_left_out(rows, 0)
    for place, drive in enumerate(np.unique(rows.drive)):
        others, own = rows.chosen(rows.drive != drive), rows.chosen((rows.drive == drive) & rows.clean)
        fitted = fit_tiles(others.values, KEYS, others.cover, others.filling)
        np.testing.assert_array_equal(found[5 * place : 5 * place + 5], fitted.abnormality(own.values))


def test_calibrate_tiles_of_too_few_frames_is_refused() -> None:
    with pytest.raises(CalibrationError, match="expected 8 or more clean frames to tell abnormal tiles, got 6"):
        calibrate_tiles(draw_tiles(0, 2, 3), 0)


@pytest.mark.parametrize("keys", [(), (PICTURE,), (FeatureKey.tiles("a", 2, 3), FeatureKey.tiles("b", 2, 4))])
def test_grid_of_keys_without_one_grid_is_refused(keys: tuple[FeatureKey, ...]) -> None:
    with pytest.raises(ValueError, match="expected features of one grid of tiles"):
        grid_of(keys)
