# SPDX-License-Identifier: Apache-2.0
"""Operations in place: a capture computes what the network does, whatever else holds the memory that they overwrite."""

import random
from collections.abc import Callable
from typing import NoReturn

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F

from export.sampling.marked_graph import MarkedGraph, mark_network

EXAMPLE = torch.zeros(1, 3, 4, 6)
FRAMES = torch.randn(3, *EXAMPLE.shape[1:], generator=torch.Generator().manual_seed(0))


class Stem(nn.Module):
    """A convolution, and what a test does with its output."""

    def __init__(self, rest: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.rest = nn.Conv2d(3, 4, 1), rest

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self.conv(x), x)


def resnet_block(y: Tensor, _: Tensor) -> Tensor:
    kept = F.relu(y, inplace=True)
    y = F.hardswish(F.leaky_relu(kept * 2, 0.1, inplace=True), inplace=True)
    y += kept
    y -= 0.5
    return F.relu6(F.silu(y.mul_(kept), inplace=True), inplace=True)


def read_under_its_first_name(y: Tensor, _: Tensor) -> Tensor:
    before = y * 2
    F.hardtanh(y, inplace=True)
    return before + y


def read_in_a_view(y: Tensor, _: Tensor) -> Tensor:
    view = y.flatten(2)
    y.clamp_(min=0)
    return y + view.reshape(y.shape)


def a_part_overwritten(y: Tensor, _: Tensor) -> Tensor:
    y[:, :2].sigmoid_()
    return y


def input_overwritten(y: Tensor, x: Tensor) -> Tensor:
    x.tanh_()
    return y + x.mean()


def returned_under_its_first_name(y: Tensor, _: Tensor) -> Tensor:
    F.elu(y, inplace=True)
    return y


def of_whole_numbers(y: Tensor, _: Tensor) -> Tensor:
    return y + (y > 0).long().add_(1)


def of_another_type(y: Tensor, _: Tensor) -> Tensor:
    return y.add_((y * 3).double())


def captured(rest: Callable[[Tensor, Tensor], Tensor]) -> tuple[nn.Module, MarkedGraph]:
    torch.manual_seed(1)
    network = Stem(rest).eval()
    return network, mark_network(network, EXAMPLE, ["conv"])


def assert_computes_the_same(network: nn.Module, marked: MarkedGraph) -> None:
    with torch.no_grad():
        expected, (got, _) = network(FRAMES.clone()), marked.module(FRAMES.clone())
    assert torch.equal(got, expected)


@pytest.mark.parametrize("rest", [resnet_block, read_under_its_first_name])
def test_mark_network_with_activations_and_sums_in_place_follows_it_once(
    rest: Callable[[Tensor, Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError("expected a graph that is rewritten, got one that is followed again")

    monkeypatch.setattr(ExportedProgram, "run_decompositions", refused)
    network, marked = captured(rest)
    assert not [node for node in marked.module.graph.nodes if "_." in str(node.target)]  # aten.relu_.default
    assert_computes_the_same(network, marked)


@pytest.mark.parametrize(
    "rest",
    [
        read_in_a_view,
        a_part_overwritten,
        input_overwritten,
        returned_under_its_first_name,
        of_whole_numbers,
        of_another_type,
    ],
)
def test_mark_network_whose_overwritten_memory_is_seen_elsewhere_computes_the_same(
    rest: Callable[[Tensor, Tensor], Tensor],
) -> None:
    assert_computes_the_same(*captured(rest))


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 200))])
def test_mark_network_of_random_views_and_writes_computes_the_same(seed: int) -> None:
    def rest(y: Tensor, _frames: Tensor) -> Tensor:
        drawn = random.Random(seed)
        values = [y]
        for _ in range(8):
            value, other, step = drawn.choice(values), drawn.choice(values), drawn.randrange(6)
            if step == 0:
                F.relu(value, inplace=True)
            elif step == 1:
                value.add_(other)
            elif step == 2:
                value.mul_(-1.5)
            else:
                values.append([value - 2 * other, value.flatten(1).view(value.shape), value.detach()][step - 3])
        return torch.cat(values, dim=1)

    assert_computes_the_same(*captured(rest))
