# SPDX-License-Identifier: Apache-2.0
"""Abnormal tiles against plain sums and densities of SciPy, and their limits against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from export.answers.fit_tiles import FALSE_ALARM_RATE, abnormality_left_out, calibrate_tiles
from export.answers.rows import PatchedRows
from export.answers.tiles import COVERED, fit_tiles, grid_of
from export.errors import CalibrationError
from export.features.key import PICTURE, FeatureKey
from tests.export.answers.drawn_tiles import GRID, TILE_WIDTHS, draw_tiles, train_little
from tests.export.pipeline.told_reporter import ToldReporter

KEYS = tuple(TILE_WIDTHS)


def _numbers(rows: PatchedRows) -> NDArray[np.float64]:
    """``(N, T, D)``."""
    tiles = GRID[0] * GRID[1]
    return np.concatenate([rows.values[key].reshape(len(rows), tiles, -1) for key in KEYS], axis=2).astype(np.float64)


def _columns(fitted_on: PatchedRows, rows: PatchedRows) -> NDArray[np.float64]:
    """Standardised numbers of each tile and their means, ``(N, T, 2 D)``, by the definition written anew."""
    raw, clean = _numbers(fitted_on), fitted_on.filling == ""
    middle = np.median(raw[clean], axis=0)
    apart = (raw - middle)[clean]
    scale = np.empty_like(middle)
    for number in range(raw.shape[2]):
        common = np.subtract(*np.quantile(apart[:, :, number].ravel(), [0.84, 0.16])) / 2
        for tile in range(raw.shape[1]):
            own = np.subtract(*np.quantile(apart[:, tile, number], [0.84, 0.16])) / 2
            scale[tile, number] = max(own, 0.3 * common, 0.01)
    own = np.arcsinh((_numbers(rows) - middle) / scale)
    return np.concatenate([own, np.repeat(own.mean(axis=1, keepdims=True), own.shape[1], axis=1)], axis=2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 8))
def test_abnormality_of_drawn_tiles_is_that_of_the_perceptron_unit_by_unit(seed: int, effect: float) -> None:
    rows, new = draw_tiles(seed, 4, 3, effect), draw_tiles(seed ^ 1, 2, 2, effect)
    with pytest.MonkeyPatch.context() as patch:
        train_little(patch)
        fitted = fit_tiles(rows.values, KEYS, rows.cover, rows.clean)
    net, columns = fitted.perceptron, _columns(rows, new)
    odds = np.full(columns.shape[:2], net.offset)
    for direction, threshold, weight in zip(net.directions.T, net.thresholds, net.weights, strict=True):
        odds += weight * np.maximum(np.einsum("ntd,d->nt", columns, direction) + threshold, 0)
    np.testing.assert_allclose(
        fitted.abnormality(new.values).reshape(odds.shape), np.log1p(np.exp(odds)), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_abnormality_of_a_tile_whose_numbers_have_another_unit_is_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_little(monkeypatch)
    rows, tiles = draw_tiles(seed, 10, 6), GRID[0] * GRID[1]
    factor, offset = np.ones((tiles, 1)), np.zeros((tiles, 1))
    factor[seed], offset[seed] = 1.5, 7
    other = {
        key: (rows.values[key].reshape(len(rows), tiles, -1) * factor + offset).reshape(len(rows), -1) for key in KEYS
    }
    found = [
        fit_tiles(values, KEYS, rows.cover, rows.clean).abnormality(values) for values in (dict(rows.values), other)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("effect", [2.0, 4.0])
def test_abnormality_of_drawn_tiles_ranks_them_nearly_as_the_densities_that_they_are_drawn_from(effect: float) -> None:
    rows, new = draw_tiles(0, 20, 6, effect), draw_tiles(1, 20, 6, effect)
    fitted = fit_tiles(rows.values, KEYS, rows.cover, rows.clean)
    x, share = _columns(rows, rows), rows.cover.reshape(len(rows), -1)
    parts = [x[rows.clean].reshape(-1, x.shape[2])]
    parts += [x[own][share[own] >= COVERED] for own in (rows.filling == name for name in ("flat", "grain"))]
    within = np.cov(np.concatenate([part - part.mean(axis=0) for part in parts]).T, bias=True)
    tiles = _columns(rows, new)
    clean, *others = (
        multivariate_normal(part.mean(axis=0), within, allow_singular=True).logpdf(tiles) for part in parts
    )
    under, told = new.cover >= COVERED, (new.cover >= COVERED) | (new.cover == 0)
    odds = (np.logaddexp.reduce(others, axis=0) - clean).reshape(under.shape)
    found, best = (roc_auc_score(under[told], scores[told]) for scores in (fitted.abnormality(new.values), odds))
    assert best > 0.75
    assert found > best - 0.03


def test_training_twice_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    train_little(monkeypatch)
    rows = draw_tiles(0, 4, 3)
    one, other = (fit_tiles(rows.values, KEYS, rows.cover, rows.clean).abnormality(rows.values) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_fit_tiles_without_a_tile_under_a_patch_is_refused() -> None:
    rows = draw_tiles(0, 4, 3)
    with pytest.raises(ValueError, match="expected tiles under patches, got none: patch more frames"):
        fit_tiles(rows.values, KEYS, 0 * rows.cover, rows.clean)


def test_abnormality_of_a_number_that_is_not_finite_is_nan_in_that_frame_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_little(monkeypatch)
    rows, new = draw_tiles(0, 6, 5), draw_tiles(1, 2, 3)
    fitted = fit_tiles(rows.values, KEYS, rows.cover, rows.clean)
    before = fitted.abnormality(new.values)
    for value in (np.nan, np.inf, -np.inf):
        new.values[KEYS[1]][4, 7] = value
        after = fitted.abnormality(new.values)
        assert np.isnan(after[4]).all()
        np.testing.assert_array_equal(np.delete(after, 4, 0), np.delete(before, 4, 0))


def test_limits_of_many_drives_keep_clean_frames_of_new_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    train_little(monkeypatch)  # the limits hold for whatever was learnt
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


def test_abnormality_left_out_is_that_of_fits_without_the_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    train_little(monkeypatch)
    rows = draw_tiles(0, 3, 5)
    found = abnormality_left_out(rows, 0)
    for place, drive in enumerate(np.unique(rows.drive)):
        others, own = rows.chosen(rows.drive != drive), rows.chosen(rows.drive == drive)
        fitted = fit_tiles(others.values, KEYS, others.cover, others.clean)
        expected = fitted.abnormality(own.values)[own.clean]
        np.testing.assert_array_equal(found[5 * place : 5 * place + 5], expected)


def test_calibrate_tiles_tells_how_many_of_its_fits_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    train_little(monkeypatch)
    reporter = ToldReporter()
    calibrate_tiles(draw_tiles(0, 3, 5), 0, reporter)
    assert reporter.counted == {"judging tiles": (3, 3)}  # a fit without each drive


def test_calibrate_tiles_of_too_few_frames_is_refused() -> None:
    with pytest.raises(CalibrationError, match="expected 8 or more clean frames to tell abnormal tiles, got 6"):
        calibrate_tiles(draw_tiles(0, 2, 3), 0)


@pytest.mark.parametrize("keys", [(), (PICTURE,), (FeatureKey.tiles("a", 2, 3), FeatureKey.tiles("b", 2, 4))])
def test_grid_of_keys_without_one_grid_is_refused(keys: tuple[FeatureKey, ...]) -> None:
    with pytest.raises(ValueError, match="expected features of one grid of tiles"):
        grid_of(keys)
