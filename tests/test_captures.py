# SPDX-License-Identifier: Apache-2.0
"""A capture that is kept serves an equal network, over that network's weights; another network is captured anew."""

import pytest
import torch
from torch import nn

from export.sampling.marked_graph import MarkedGraph, mark_network
from tests.captures import captured_once
from tests.conftest import INPUT_SIZE, small_network
from tests.networks import DropBlockAtTap

TAPS = ["deeplab_v3plus_model.drop_block1"]
EXAMPLE = torch.rand(1, 3, *INPUT_SIZE)


class Counted:
    """Gives one capture and counts its calls."""

    def __init__(self, marked: MarkedGraph) -> None:
        self.marked, self.calls = marked, 0

    def __call__(self, *_: object) -> MarkedGraph:
        self.calls += 1
        return self.marked


@pytest.fixture(scope="module")
def marked() -> MarkedGraph:
    return mark_network(small_network().eval(), EXAMPLE, TAPS)


def test_capture_of_an_equal_network_is_the_same_graph_over_its_own_weights(marked: MarkedGraph) -> None:
    kept = captured_once(made := Counted(marked))
    first, second = small_network().eval(), small_network().eval()
    got = [kept(network, EXAMPLE, TAPS, []) for network in (first, second)]
    assert made.calls == 1
    assert got[0].module.code == got[1].module.code
    own = dict(second.named_parameters())
    held = dict(got[1].module.named_parameters())
    assert {name.removeprefix("network."): id(one) for name, one in held.items()} == {
        name: id(one) for name, one in own.items()
    }
    with torch.no_grad():
        next(iter(own.values())).mul_(2)
        for network, graph in zip((first, second), got, strict=True):
            output, tap = graph.module(EXAMPLE)
            torch.testing.assert_close(output, network(EXAMPLE))
            assert [node.args[2] for node in graph.marks("tap").values()] == TAPS
            assert tap.shape[0] == 1
    assert got[0].module.graph.find_nodes(op="placeholder") == [got[0].frames]


@pytest.mark.parametrize("change", ["weights", "taps", "observed layers", "size", "another network"])
def test_capture_of_anything_else_is_made_anew(change: str, marked: MarkedGraph) -> None:
    kept = captured_once(made := Counted(marked))
    network, taps = small_network().eval(), TAPS
    kept(network, EXAMPLE, taps, [])
    if change == "weights":
        with torch.no_grad():
            next(network.parameters()).mul_(2)
    other: nn.Module = DropBlockAtTap().eval() if change == "another network" else network
    example = torch.rand(1, 3, 32, 64) if change == "size" else EXAMPLE
    for _ in range(2):
        kept(other, example, ["x"] if change == "taps" else taps, ["x"] if change == "observed layers" else [])
    assert made.calls == (3 if change == "another network" else 2), "networks of tests are captured each time"
