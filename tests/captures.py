# SPDX-License-Identifier: Apache-2.0
"""Captures of this project's own networks, each made once in a test process.

``torch.export`` takes most of the time of planning an export, and most of its calls would follow the small checkpoint of
``tests.conftest`` once more. Networks of tests are followed anew each time, since many are about the capture itself.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, fx, nn

from export.models import DeepLabV3PlusModule
from export.sampling.marked_graph import MarkedGraph
from tests.conversions import fingerprint

Capture = Callable[[nn.Module, Tensor, Sequence[str], Sequence[str]], MarkedGraph]


def captured_once(capture: Capture) -> Capture:
    """``mark_network`` with its results kept: an equal network gets a copy of the graph, over its own weights."""
    kept: dict[str, MarkedGraph] = {}

    def captured(network: nn.Module, example: Tensor, taps: Sequence[str], observed: Sequence[str] = ()) -> MarkedGraph:
        options = {"taps": list(taps), "observed": list(observed)}
        key = fingerprint(network, (example[:1],), options) if isinstance(network, DeepLabV3PlusModule) else None
        if key is None:
            return capture(network, example, taps, observed)
        if key not in kept:
            kept[key] = capture(network, example, taps, observed)
        return _over_weights_of(network, kept[key])

    return captured


def _over_weights_of(network: nn.Module, marked: MarkedGraph) -> MarkedGraph:
    """A copy of the graph; its weights are the network's own, as those of a capture are."""
    copies: dict[fx.Node, fx.Node] = {}
    graph = fx.Graph()
    graph.output(graph.graph_copy(marked.module.graph, copies))
    own = {f"network.{name}": tensor for name, tensor in [*network.named_parameters(), *network.named_buffers()]}
    held = {**dict(marked.module.named_parameters()), **dict(marked.module.named_buffers())}
    read = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
    module = fx.GraphModule({name: own.get(name, held.get(name)) for name in read}, graph)
    output = None if marked.output is None else copies[marked.output]
    return MarkedGraph(module, copies[marked.frames], output, marked.batch)
