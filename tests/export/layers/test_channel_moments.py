# SPDX-License-Identifier: Apache-2.0
"""Moments of a layer in float32 against numpy in float64, in torch and in ONNX Runtime."""

from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from export.layers.channel_moments import MIN_DEVIATION, channel_moments
from tests.export.module_sessions import module_session

Shape = tuple[int, ...]


class Moments(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return channel_moments(x)


@cache
def session(shape: Shape) -> ort.InferenceSession:
    """The graph for features of a frame of ``shape``, with a free batch."""
    return module_session(Moments(), shape, "x")


def both(features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Moments in torch and in ONNX Runtime."""
    (got,) = session(features.shape[1:]).run(None, {"x": features})
    return [channel_moments(torch.from_numpy(features)).numpy(), got]


def expected(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = features.astype(np.float64)
    by_channel = np.moveaxis(values, -1, 1) if values.ndim == 3 else values
    by_channel = by_channel.reshape(*by_channel.shape[:2], -1)
    return by_channel.mean(axis=-1), by_channel.std(axis=-1)


def check(moments: NDArray[np.float32], features: NDArray[np.float32]) -> None:
    """Means and deviations to 1e-4 of the deviation; below 1e-5 of the mean a deviation is the rounding of float32."""
    mean, deviation = expected(features)
    got_mean, got_log = np.split(moments.astype(np.float64), 2, axis=1)
    assert (np.abs(got_mean - mean) <= 1e-4 * deviation + 1.2e-7 * np.abs(mean)).all()
    floored = np.maximum(deviation, MIN_DEVIATION)
    lost = np.where(deviation < 1e-5 * np.abs(mean), 1e-6 * np.abs(mean) / floored, 0)
    assert (np.abs(np.expm1(got_log - np.log(floored))) <= 1e-4 + lost).all()


def drawn(seed: int, shape: Shape, offset: float, log_scale: float, kind: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    if kind == "sparse":  # as behind a ReLU: few cells fire, far from the rest
        values = np.where(rng.random(shape) < 0.02, values * 30, 0)
    elif kind == "ramp":  # the grid that the shift is taken from sees one side first
        values += np.linspace(-20, 20, shape[-1])
    return ((values + offset) * 10**log_scale).astype(np.float32)


RANDOM = (
    st.integers(0, 2**32 - 1),
    st.floats(-1e4, 1e4),
    st.floats(-3, 3),
    st.sampled_from(["normal", "sparse", "ramp"]),
)
SHAPES = st.one_of(
    st.tuples(st.just(4), st.integers(1, 60), st.integers(1, 90)), st.tuples(st.integers(1, 300), st.just(4))
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(SHAPES, st.just((4,))), *RANDOM)
def test_moments_of_any_shape_and_offset_equal_those_of_float64(
    shape: Shape, seed: int, offset: float, log_scale: float, kind: str
) -> None:
    features = drawn(seed, (2, *shape), offset, log_scale, kind)
    check(channel_moments(torch.from_numpy(features)).numpy(), features)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(8, 1, 1), (8, 5, 7), (8, 64, 96), (37, 8), (8,)]), *RANDOM)
def test_moments_in_onnx_runtime_equal_those_of_float64(
    shape: Shape, seed: int, offset: float, log_scale: float, kind: str
) -> None:
    features = drawn(seed, (2, *shape), offset, log_scale, kind)
    for got in both(features):
        check(got, features)


def test_moments_of_a_large_map_far_from_zero_equal_those_of_float64() -> None:
    features = (1e4 + np.random.default_rng(0).normal(size=(1, 8, 512, 1024))).astype(np.float32)
    for got in both(features):
        check(got, features)


@pytest.mark.parametrize("shape", [(3, 8), (3, 1, 8), (3, 8, 1, 1), (3, 8, 5, 7)])
@pytest.mark.parametrize("value", [0.0, -3.5, 1e3])
def test_moments_of_constant_channels_and_of_one_cell_are_finite(shape: Shape, value: float) -> None:
    features = np.full(shape, value, np.float32)
    for got in both(features):
        np.testing.assert_allclose(got, [[value] * 8 + [np.log(MIN_DEVIATION)] * 8] * 3, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 8), (1, 9, 8), (1, 8, 5, 7)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_moments_of_a_channel_that_is_not_finite_are_not_finite(shape: Shape, value: float) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    features[(0, 3, *([2] * (len(shape) - 2)))] = value
    channel = 3 if len(shape) != 3 else 2
    for got in both(features):
        finite = np.isfinite(got[0, :8])
        assert not finite[channel]
        assert finite.sum() == 7
