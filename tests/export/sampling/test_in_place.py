# SPDX-License-Identifier: Apache-2.0
"""Operations in place: a capture computes what the network does, whatever else holds the memory that they overwrite."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F

from export.errors import ConversionError
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


def returned_under_its_first_name(y: Tensor, _: Tensor) -> Tensor:
    F.elu(y, inplace=True)
    return y


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


def view_of_input_overwritten(y: Tensor, x: Tensor) -> Tensor:
    view = x.view(-1)
    view.tanh_()
    return y + view.mean()


def returned_and_another_overwritten_in_part(y: Tensor, _: Tensor) -> Tensor:
    F.elu(y, inplace=True)
    (y * 2)[:, :2].relu_()
    return y


def written_into_another(y: Tensor, _: Tensor) -> Tensor:
    z, kept = torch.empty_like(y), y * 2
    torch.add(y, 1, out=z)
    kept = kept + torch.mul(z, 3.0, out=kept)
    torch.sigmoid(y, out=z)
    return torch.clamp(y, min=0, out=kept) + z


def written_into_itself(y: Tensor, _: Tensor) -> Tensor:
    z = y * 1
    torch.mul(y, 2.0, out=y)
    return y + z


def of_whole_numbers(y: Tensor, _: Tensor) -> Tensor:
    return y + (y > 0).long().add_(1)


def of_another_type(y: Tensor, _: Tensor) -> Tensor:
    return y.add_((y * 3).double())


def captured(rest: Callable[[Tensor, Tensor], Tensor]) -> tuple[nn.Module, MarkedGraph]:
    torch.manual_seed(1)
    network = Stem(rest).eval()
    return network, mark_network(network, EXAMPLE, ["conv"])


def assert_computes_the_same(network: nn.Module, marked: MarkedGraph) -> None:
    """Twice with the same frames, which a network may overwrite; and that its graph is flat and writes nowhere else."""
    frames, same_frames = FRAMES.clone(), FRAMES.clone()
    for _ in range(2):
        with torch.no_grad():
            expected, (got, _) = network(frames), marked.module(same_frames)
        assert torch.equal(got, expected)
    for target in (node.target for node in marked.module.graph.nodes):
        assert not isinstance(target, torch._ops.HigherOrderOperator)
        if isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable:
            assert target is torch.ops.aten.copy_.default, "into the network's input"


@pytest.fixture
def followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError("expected a graph that is rewritten, got one that is followed again")

    monkeypatch.setattr(ExportedProgram, "run_decompositions", refused)


@pytest.mark.usefixtures("followed_once")
@pytest.mark.parametrize("rest", [resnet_block, read_under_its_first_name, returned_under_its_first_name])
def test_mark_network_with_activations_and_sums_in_place_follows_it_once(
    rest: Callable[[Tensor, Tensor], Tensor],
) -> None:
    assert_computes_the_same(*captured(rest))


@pytest.mark.parametrize(
    "rest",
    [
        read_in_a_view,
        a_part_overwritten,
        input_overwritten,
        view_of_input_overwritten,
        returned_and_another_overwritten_in_part,
        written_into_another,
        written_into_itself,
        of_whole_numbers,
        of_another_type,
    ],
)
def test_mark_network_whose_overwritten_memory_is_seen_elsewhere_computes_the_same(
    rest: Callable[[Tensor, Tensor], Tensor],
) -> None:
    assert_computes_the_same(*captured(rest))


def test_mark_network_that_overwrites_a_constant_says_what_to_make_of_it() -> None:
    kept = torch.ones(1, 4, 1, 1)
    with pytest.raises(ConversionError, match=r"mutated in the forward method.* register it as buffer"):
        captured(lambda y, _: y * kept.mul_(2))


class WithBlock(nn.Module):
    """Computes the layer that a test samples in a block, which a capture keeps as a graph of its own."""

    def __init__(self, block: Callable[[], AbstractContextManager[object]], *, inplace: bool) -> None:
        super().__init__()
        self.conv, self.mid, self.block, self.inplace = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), block, inplace

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv(x), inplace=self.inplace)
        with self.block():
            y = self.mid(y.float())
        return F.relu(y, inplace=self.inplace)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("block", [lambda: torch.autocast("cpu", enabled=False), torch.enable_grad])
def test_mark_network_of_a_layer_in_a_block_of_autocast_or_gradients_holds_its_mark(
    block: Callable[[], AbstractContextManager[object]], inplace: bool
) -> None:
    torch.manual_seed(1)
    network = WithBlock(block, inplace=inplace).eval()
    marked = mark_network(network, EXAMPLE, ["mid"])
    assert [*marked.marks("tap")] == [("mid", 0)]
    assert_computes_the_same(network, marked)


def drawn_writes(seed: int, steps: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Writes into the last values, mostly, and new values of them, a view among five; a few of the last are given."""

    def rest(y: Tensor, _: Tensor) -> Tensor:
        draw = random.Random(seed)
        values = [y]
        for _step in range(steps):
            value, other = draw.choice(values[-2:]), draw.choice(values)
            match draw.randrange(9):
                case 0 | 1:
                    F.relu(value, inplace=True)
                case 2:
                    value.add_(other)
                case 3:
                    value.mul_(-1.5)
                case 4:
                    values.append(draw.choice([value.flatten(1).view(value.shape), value.detach()]))
                case _:
                    values.append(value - 2 * other)
        return torch.cat(values[-2:], dim=1)

    return rest


@pytest.mark.usefixtures("followed_once")
@pytest.mark.parametrize("seed", [16, 22])
def test_mark_network_of_random_writes_that_are_seen_nowhere_else_follows_it_once(seed: int) -> None:
    assert_computes_the_same(*captured(drawn_writes(seed, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_mark_network_of_random_views_and_writes_computes_the_same(seed: int) -> None:
    assert_computes_the_same(*captured(drawn_writes(seed, 12)))
