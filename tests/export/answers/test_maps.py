# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps and their scores against the same written in torch, and what they make of numbers that are not finite."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional as F

from export.answers.maps import FittedMap, MapHead, enlarged, grid_of_map, smoothed
from export.answers.pixel_scores import (
    BOUNDARY_WIDTHS,
    ENERGY,
    ENTROPY,
    HEAD,
    LOGIT,
    SCORES_OF_A_PIXEL,
    SOFTMAX,
    standardised_maximum_logit,
)
from export.features.key import PICTURE, FeatureKey

KEY = FeatureKey.logit_map(9, 13)
LAYER = FeatureKey.feature_map("layer", 4, 6)


def _logits(seed: int, frames: int = 2, classes: int = 4) -> NDArray[np.float64]:
    """Regions of classes, with noise."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.normal(0, 4, (frames, classes, 3, 4)))
    return np.asarray(F.interpolate(coarse, (9, 13), mode="nearest") + torch.from_numpy(rng.normal(size=(9, 13))))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_scores_of_drawn_logits_are_those_of_torch(seed: int) -> None:
    logits = torch.from_numpy(_logits(seed))
    expected = {
        ENTROPY: -(logits.softmax(dim=1) * logits.log_softmax(dim=1)).sum(dim=1),
        SOFTMAX: -logits.softmax(dim=1).amax(dim=1),
        LOGIT: -logits.amax(dim=1),
        ENERGY: -logits.logsumexp(dim=1),
    }
    for name, score in SCORES_OF_A_PIXEL.items():
        np.testing.assert_allclose(score(logits.numpy()), expected[name], atol=1e-9, err_msg=name)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_standardised_logit_of_drawn_logits_is_that_of_a_loop_over_pixels(seed: int) -> None:
    logits, rng = _logits(seed, frames=1), np.random.default_rng(seed)
    centre, scale = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    classes, (rows, columns) = logits[0].argmax(axis=0), logits.shape[2:]
    scores = (centre[classes] - logits[0].max(axis=0)) / scale[classes]
    for width in BOUNDARY_WIDTHS:
        near = {
            (r, c): classes[max(r - width, 0) : r + width + 1, max(c - width, 0) : c + width + 1]
            for r in range(rows)
            for c in range(columns)
        }
        inside = {place: (near[place] == near[place].flat[0]).all() for place in near}
        before = scores.copy()
        for r, c in near:
            around = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if inside.get((r + i, c + j), False)]
            if not inside[r, c] and around:
                scores[r, c] = np.mean([before[place] for place in around])
    np.testing.assert_allclose(standardised_maximum_logit(logits, centre, scale)[0], scores, atol=1e-9)


def _fitted(seed: int, smoothing: int) -> FittedMap:
    rng = np.random.default_rng(seed)
    head = MapHead(rng.normal(size=4), {LAYER: rng.normal(size=5)}, 0.3)
    return FittedMap(KEY, {ENERGY: 0.7, HEAD: 1.3}, -0.4, smoothing, np.zeros(4), np.ones(4), head)


def _values(seed: int) -> dict[FeatureKey, NDArray[np.float32]]:
    layer = np.random.default_rng(seed).normal(size=(2, 5 * 4 * 6)).astype(np.float32)
    return {KEY: _logits(seed).reshape(2, -1).astype(np.float32), LAYER: layer}


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5]))
@settings(max_examples=20, deadline=None)
def test_map_of_drawn_weights_is_the_convolution_of_torch(seed: int, smoothing: int) -> None:
    fitted, values = _fitted(seed, smoothing), _values(seed)
    head = fitted.head
    assert head is not None
    logits = torch.from_numpy(values[KEY]).double().reshape(2, 4, 9, 13)
    layer = torch.from_numpy(values[LAYER]).double().reshape(2, 5, 4, 6)
    own = F.conv2d(layer, torch.from_numpy(head.layers[LAYER]).reshape(1, 5, 1, 1))
    linear = F.conv2d(logits, torch.from_numpy(head.logits).reshape(1, 4, 1, 1)) + head.offset
    linear += F.interpolate(own, (9, 13), mode="bilinear", align_corners=False)
    total = 1.3 * linear - 0.7 * logits.logsumexp(dim=1, keepdim=True) - 0.4
    expected = F.avg_pool2d(total, smoothing, 1, smoothing // 2, count_include_pad=False)[:, 0]
    np.testing.assert_allclose(fitted.anomaly_map(values), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", [KEY, LAYER])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_map_of_a_number_that_is_not_finite_is_nan_there_and_as_before_in_the_other_frame(
    key: FeatureKey, value: float
) -> None:
    fitted, values = _fitted(3, 3), _values(3)
    before = fitted.anomaly_map(values)
    broken = values | {key: values[key].copy()}
    broken[key][0, 8] = value
    after = fitted.anomaly_map(broken)
    assert np.isnan(after[0]).any()
    assert not np.isinf(after).any()
    np.testing.assert_array_equal(after[1], before[1])
    low = after[0] < before[0] - 1e-5
    assert not low.any()


@pytest.mark.parametrize(("size", "grid"), [((1, 1), (3, 4)), ((2, 3), (7, 11)), ((7, 10), (7, 10)), ((5, 4), (9, 16))])
def test_enlarged_maps_of_any_size_are_those_of_torch(size: tuple[int, int], grid: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=(2, *size))
    expected = F.interpolate(torch.from_numpy(maps)[:, None], grid, mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(enlarged(maps, grid), expected, atol=1e-12)


def test_smoothed_maps_that_are_constant_stay_so_up_to_the_edge() -> None:
    np.testing.assert_allclose(smoothed(np.full((1, 4, 7), 2.5), 5), 2.5)


def test_grid_of_a_key_that_is_of_no_map_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the key of a map, got picture"):
        grid_of_map(PICTURE)
