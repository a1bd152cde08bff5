# SPDX-License-Identifier: Apache-2.0
"""Moments of a layer's map, small or large, against NumPy in float64 over the cells that are read."""

from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.layers.channel_moments import MANY_CELLS, MIN_DEVIATION, cell_stride
from export.sampling.graph_modules import LayerMap, LayerMoments
from tests.export.module_sessions import module_session


@cache
def session(channels: int, height: int, width: int) -> ort.InferenceSession:
    return module_session(LayerMoments(1), (channels, height, width), "map")


def both(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """In torch and in ONNX Runtime."""
    (got,) = session(*features.shape[1:]).run(None, {"map": features})
    return [LayerMoments(1)(torch.from_numpy(features)).numpy(), got]


def check(got: NDArray[np.float32], features: NDArray[np.float32]) -> None:
    """Means to 1e-4 of the deviation, deviations to 1e-4 of themselves, over every second row and column of a large map."""
    large = features.shape[2] * features.shape[3] >= MANY_CELLS
    cells = features.astype(np.float64)[:, :, :: 1 + large, :: 1 + large].reshape(*features.shape[:2], -1)
    mean, deviation = cells.mean(axis=2), cells.std(axis=2)
    means, logs = np.split(got.astype(np.float64), 2, axis=1)
    assert (np.abs(means - mean) <= 1e-4 * deviation + 1.2e-7 * np.abs(mean)).all()
    assert (np.abs(np.expm1(logs - np.log(np.maximum(deviation, MIN_DEVIATION)))) <= 1e-4).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 250), st.integers(1, 250), st.integers(0, 2**32 - 1), st.floats(-1e3, 1e3))
def test_layer_moments_of_any_map_equal_those_of_the_cells_that_are_read(
    height: int, width: int, seed: int, offset: float
) -> None:
    features = (offset + np.random.default_rng(seed).normal(size=(2, 3, height, width))).astype(np.float32)
    check(LayerMoments(1)(torch.from_numpy(features)).numpy(), features)


@pytest.mark.parametrize("shape", [(3, 63, 130), (3, 64, 128), (16, 91, 127), (8, 512, 1024)])
def test_layer_moments_in_onnx_runtime_equal_those_of_the_cells_that_are_read(shape: tuple[int, int, int]) -> None:
    features = (1e3 + np.random.default_rng(0).normal(size=(2, *shape))).astype(np.float32)
    for got in both(features):
        check(got, features)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_layer_moments_of_a_large_map_with_a_cell_that_is_not_finite_are_not_finite(value: float) -> None:
    features = np.random.default_rng(0).normal(size=(1, 8, 64, 128)).astype(np.float32)
    features[0, 3, 30, 70] = value
    for got in both(features):
        assert not np.isfinite(got[0, [3, 11]]).any()
        assert np.isfinite(np.delete(got[0], [3, 11])).all()


def test_cell_stride_of_many_cells_is_two_and_leaves_a_quarter_of_them() -> None:
    assert [cell_stride(*size) for size in ((1, 1), (64, 127), (64, 128), (1, 8192), (512, 1024))] == [1, 1, 2, 2, 2]


def test_map_of_a_layer_is_its_cells_channel_by_channel_without_those_of_the_padding() -> None:
    features = torch.randn(2, 3, 5, 7)
    expected = features[:, :, :4, :6].flatten(1)
    torch.testing.assert_close(LayerMap(1, 4, 6)(features), expected, rtol=0, atol=0)
    torch.testing.assert_close(LayerMap(3, 4, 6)(features.permute(0, 2, 3, 1)), expected, rtol=0, atol=0)
