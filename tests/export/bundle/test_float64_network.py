# SPDX-License-Identifier: Apache-2.0
"""Large convolutions in float64, made for some channels at a time, against scipy's correlation and PyTorch's own sum."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate
from torch import nn

import export.bundle.float64_network as float64_network
from export.bundle.float64_network import in_float64


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float64_network, "_UNFOLDED", 4096)


def test_convolution_in_float64_is_the_correlation_of_every_channel() -> None:
    rng = np.random.default_rng(0)
    image, network = rng.normal(size=(7, 12, 9)).astype(np.float32), nn.Conv2d(7, 3, (3, 5), bias=False).eval()
    weight = network.weight.detach().double().numpy()
    expected = [sum(correlate(image[c].astype(float), weight[k, c], mode="valid") for c in range(7)) for k in range(3)]
    with torch.no_grad(), in_float64(network):
        got = network(torch.from_numpy(image)[None].double())[0].numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 6, 31]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
    batch=st.integers(1, 2),
    seed=st.integers(0, 9),
)
def test_convolution_in_float64_in_parts_is_that_in_one(
    channels: int, kernel: tuple[int, int], stride: int, padding: int, dilation: int, bias: bool, batch: int, seed: int
) -> None:
    torch.manual_seed(seed)
    network = nn.Conv2d(channels, 4, kernel, stride, padding, dilation, bias=bias).eval()
    image = torch.rand(batch, channels, 13, 17, dtype=torch.float64)
    with torch.no_grad():
        weight, offset = network.weight.double(), None if network.bias is None else network.bias.double()
        expected = torch.nn.functional.conv2d(image, weight, offset, stride, padding, dilation)
        with in_float64(network):
            got = network(image)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [nn.Conv2d(8, 8, 3, groups=4), nn.ConvTranspose2d(8, 4, 3, stride=2)])
def test_other_convolutions_in_float64_are_pytorchs_own(network: nn.Module) -> None:
    image, twin = torch.rand(1, 8, 20, 20, dtype=torch.float64), copy.deepcopy(network).double()
    with torch.no_grad():
        expected = twin(image)
        with in_float64(network):
            assert torch.equal(network(image), expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_large_convolution_in_float64_runs_for_some_channels_at_a_time(
    monkeypatch: pytest.MonkeyPatch, mode: type[torch.no_grad] | type[torch.inference_mode]
) -> None:
    seen: list[int] = []
    network = nn.Conv2d(64, 2, 3).eval()
    real = float64_network._parts

    def noted(*arguments: object) -> int:
        seen.append(real(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(float64_network, "_parts", noted)
    monkeypatch.setattr(float64_network, "_UNFOLDED", 2**16)
    with mode(), in_float64(network):
        network(torch.rand(1, 64, 10, 10, dtype=torch.float64))
    unfolded = 64 * 9 * 8 * 8 * 8
    assert seen == [-(-unfolded // 2**16)] == [5]
