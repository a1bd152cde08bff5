# SPDX-License-Identifier: Apache-2.0
"""Find the nodes of a graph that are the network itself: its convolutions and the nodes between them.

Fewer bits save time there. What comes before (preprocessing) and after (the tap's mean, the logits' upsampling, the
evaluation's logarithms) takes little time and loses more by rounding than the convolutions do.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from onnx import ModelProto, NodeProto

CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclass(frozen=True)
class NetworkBody:
    """The network inside a graph.

    Attributes:
        model: the graph, whose nodes all have names.
        layers: names of the convolutions' nodes by layer, in the order of the graph. A layer that runs once for the frame and
            once for its S samples has two.
        between: names of the other nodes on a path from a convolution to another.
    """

    model: ModelProto
    layers: dict[str, tuple[str, ...]]
    between: frozenset[str]

    @property
    def nodes(self) -> frozenset[str]:
        """Names of all these nodes."""
        return self.between.union(*self.layers.values())

    @cached_property
    def last_layers(self) -> tuple[str, ...]:
        """Layers that no other convolution follows: classifiers, and the last one before a tap at the end of the graph."""
        followed = _reaching(self.model, {name for names in self.layers.values() for name in names})
        return tuple(layer for layer, names in self.layers.items() if not followed.issuperset(names))


def network_body(model: ModelProto) -> NetworkBody:
    """Find the network in a graph.

    Raises:
        ValueError: a node has no name, or two have one.
    """
    names = [node.name for node in model.graph.node]
    if "" in names or len(set(names)) != len(names):
        raise ValueError("expected a name of its own for each node of the graph, got none or one twice: name the nodes")
    layers: dict[str, list[str]] = defaultdict(list)
    for node in model.graph.node:
        if node.op_type in CONVOLUTIONS:
            layers[layer_name(node)].append(node.name)
    convolutions = {name for group in layers.values() for name in group}
    between = _reaching(model, convolutions) & _descendants(model, convolutions) - convolutions
    return NetworkBody(model, {layer: tuple(group) for layer, group in layers.items()}, frozenset(between))


def layer_name(node: NodeProto) -> str:
    """Name a convolution's layer in the PyTorch network, by the name of its weight."""
    path = str(node.input[1]).removesuffix(".weight")
    return path.partition("network.")[2] or path


def _reaching(model: ModelProto, goals: Iterable[str]) -> set[str]:
    """Find the nodes from which a node among ``goals`` is reached in one or more steps."""
    goals, values, found = set(goals), set[str](), set[str]()
    for node in reversed(
        model.graph.node
    ):  # ONNX keeps its nodes in an order in which every value comes before its readers
        leads = not values.isdisjoint(node.output)
        if leads:
            found.add(node.name)
        if leads or node.name in goals:
            values.update(filter(None, node.input))
    return found


def _descendants(model: ModelProto, starts: Iterable[str]) -> set[str]:
    """Find the nodes that are reached from a node among ``starts`` in one or more steps."""
    starts, values, found = set(starts), set[str](), set[str]()
    for node in model.graph.node:
        follows = not values.isdisjoint(node.input)
        if follows:
            found.add(node.name)
        if follows or node.name in starts:
            values.update(node.output)
    return found
