# SPDX-License-Identifier: Apache-2.0
"""The expected cost of sampling: operations counted by hand, and what is left where only the tap is sampled."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.errors import TapError
from export.sampling.operations import operation_ratio
from export.sampling.sampler import build_sampler
from tests.networks import HEIGHT, WIDTH, DropoutUNet, NoDropout, TransformerSegmenter, settled

EXAMPLE = torch.zeros(1, 3, HEIGHT, WIDTH)
CONSTANTS: dict[str, Any] = {"drop_prob": 0.6, "block_size": 1}


class Chain(nn.Module):
    """A convolution, dropout, a convolution that is tapped, and a head."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, tapped, last = widths
        self.first, self.dropout = nn.Conv2d(3, first, 3, padding=1), nn.Dropout(0.5)
        self.tapped, self.head = nn.Conv2d(first, tapped, 3, padding=1), nn.Conv2d(tapped, last, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.tapped(self.dropout(self.first(x)))))


@settings(max_examples=4)
@given(st.tuples(*[st.integers(1, 8)] * 3), st.integers(1, 12))
def test_operation_ratio_of_a_chain_is_that_counted_by_hand(widths: tuple[int, int, int], samples: int) -> None:
    first, tapped, last = widths
    costs = [3 * first * 9, first * tapped * 9, tapped * last]  # multiplications of a cell
    network = Chain(widths).eval()
    sampler = build_sampler(network, EXAMPLE, ["tapped"], mc_samples=samples)
    assert operation_ratio(sampler, EXAMPLE) == pytest.approx((sum(costs) + samples * costs[1]) / sum(costs))
    alone = build_sampler(network, EXAMPLE, ["tapped"], mc_samples=samples, only_tap=True, **CONSTANTS)
    product = samples * tapped  # the masks' matrix product
    assert operation_ratio(alone, EXAMPLE) == pytest.approx((sum(costs) + product) / sum(costs))


@pytest.mark.parametrize(
    ("make", "dear_tap", "tap", "mode"),
    [
        (DropoutUNet, "up1", "bottleneck", "fixed"),
        (DropoutUNet, "up1", "bottleneck", "input"),
        (TransformerSegmenter, "encoder_end", "patches", "fresh"),
        pytest.param(DropoutUNet, "up1", "bottleneck", "fresh", marks=pytest.mark.slow),
        pytest.param(TransformerSegmenter, "encoder_end", "patches", "fixed", marks=pytest.mark.slow),
        pytest.param(TransformerSegmenter, "encoder_end", "patches", "input", marks=pytest.mark.slow),
    ],
)
def test_operation_ratio_of_dropout_everywhere_falls_with_only_tap(
    make: Any, dear_tap: str, tap: str, mode: Any
) -> None:
    network = settled(make())
    every = build_sampler(network, EXAMPLE, [dear_tap], mc_samples=8, mode=mode)
    only = build_sampler(network, EXAMPLE, [tap], mc_samples=8, mode=mode, only_tap=True, **CONSTANTS)
    dear, cheap = operation_ratio(every, EXAMPLE), operation_ratio(only, EXAMPLE)
    assert dear is not None
    assert cheap is not None
    assert dear > 2
    assert cheap < 1.2


def test_operation_ratio_without_the_networks_output_is_not_known() -> None:
    sampler = build_sampler(settled(DropoutUNet()), EXAMPLE, ["drop1"], mc_samples=4, with_output=False)
    assert operation_ratio(sampler, EXAMPLE) is None


@pytest.mark.parametrize(("make", "tap"), [(NoDropout, "encoder"), (DropoutUNet, "bottleneck")])
def test_sampler_of_only_a_tap_without_masks_asks_for_constants(make: Any, tap: str) -> None:
    with pytest.raises(TapError, match=f"at {tap} itself for --only-tap, found none: give --drop-prob"):
        build_sampler(settled(make()), EXAMPLE, [tap], mc_samples=4, only_tap=True)
