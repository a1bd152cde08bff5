# SPDX-License-Identifier: Apache-2.0
"""The baseline without a network: its numbers against NumPy and colorsys, and what it tells apart."""

import colorsys

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler

from export.data import SyntheticRoads, degrade
from export.evaluation.picture_baseline import PictureBaseline, picture_numbers


def test_picture_numbers_of_a_frame_equal_plain_computations() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    got = picture_numbers(frame)
    assert got.shape == (27,)
    pixels = frame.reshape(-1, 3) / 255
    np.testing.assert_allclose(got[:6], [*pixels.mean(axis=0), *pixels.std(axis=0)], rtol=1e-5)
    np.testing.assert_allclose(got[6:15], np.quantile(pixels, [0.05, 0.5, 0.95], axis=0).ravel(), rtol=1e-5)
    hue, saturation, value = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in pixels]).T
    vector = [(saturation * f(2 * np.pi * hue)).mean() for f in (np.cos, np.sin)]
    np.testing.assert_allclose(got[15:17], vector, atol=1e-4)
    np.testing.assert_allclose(got[17:21], [saturation.mean(), saturation.std(), value.mean(), value.std()], rtol=1e-4)
    grey = (frame / 255) @ [0.299, 0.587, 0.114]
    gradients = [np.abs(np.diff(grey, axis=axis)).mean() for axis in (1, 0)]
    np.testing.assert_allclose(np.exp(got[21:23]), gradients, rtol=1e-3)
    cells = [grey[i : i + 18, j : j + 16].std() for i in (0, 18) for j in (0, 16, 32)]
    np.testing.assert_allclose(np.exp(got[24]), np.mean(cells), rtol=1e-2)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [(2, 2), (3, 40)])
def test_picture_numbers_of_a_flat_or_tiny_frame_are_finite(value: int, size: tuple[int, int]) -> None:
    assert np.isfinite(picture_numbers(np.full((*size, 3), value, np.uint8))).all()


def test_picture_baseline_scores_are_distances_under_a_shrunk_covariance() -> None:
    rng = np.random.default_rng(1)
    rows, other = rng.normal(size=(50, 27)), rng.normal(1, size=(5, 27))
    scaler = StandardScaler().fit(rows)
    expected = LedoitWolf().fit(scaler.transform(rows)).mahalanobis(scaler.transform(other))
    np.testing.assert_allclose(PictureBaseline.fit(rows)(other), expected, rtol=1e-6)


def test_picture_baseline_tells_fogged_pictures_apart() -> None:
    scenes = SyntheticRoads(30, 80, 160, seed=1)
    frames = [scenes[i][0] for i in range(30)]
    baseline = PictureBaseline.fit(np.array([picture_numbers(frame) for frame in frames[:20]]))
    clean = baseline(np.array([picture_numbers(frame) for frame in frames[20:]]))
    foggy = baseline(np.array([picture_numbers(degrade(frame, "fog", 4, 0)) for frame in frames[20:]]))
    assert clean.max() < foggy.min()
