# SPDX-License-Identifier: Apache-2.0
"""Flatten a network into one graph of tensor operations in which its stochastic layers and its taps are marked.

Forward hooks put an operation of our own, which does nothing but copy, behind each marked layer; ``torch.export`` then
follows the network with its hooks, and the marks come out as nodes of the graph.
"""

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from export.errors import ConversionError
from export.stochastic import recognise

MarkRole = Literal["site", "tap"]


@torch.library.custom_op("lsood::mark", mutates_args=())
def mark(x: Tensor, role: str, layer: str, call: int) -> Tensor:
    """Copy ``x``; the node remembers which call of which layer it came from, and whether as a site or as a tap."""
    del role, layer, call
    return x.clone()


@mark.register_fake
def _(x: Tensor, role: str, layer: str, call: int) -> Tensor:
    del role, layer, call
    return torch.empty_like(x)


@dataclass(frozen=True)
class MarkedGraph:
    """A network as one flat graph, free of in-place operations.

    Attributes:
        module: holds the weights, which are the network's own, and the graph.
        frames: the node of the network's input, ``(B, 3, H, W)``.
        output: the node of its output; None where the output is not one tensor.
        batch: the symbol of B, a sympy expression, in the nodes' shapes.
    """

    module: fx.GraphModule
    frames: fx.Node
    output: fx.Node | None
    batch: Any

    def marks(self, role: MarkRole) -> dict[tuple[str, int], fx.Node]:
        """Marks of one role in order of execution, by layer and call."""
        marks: dict[tuple[str, int], fx.Node] = {}
        for node in self.module.graph.nodes:
            if is_mark(node):
                _, its_role, layer, call = node.args
                marks |= {(layer, call): node} if its_role == role else {}
        return marks


def is_mark(node: fx.Node) -> bool:
    """Whether a node is a mark, of either role."""
    return node.target is torch.ops.lsood.mark.default


def mark_network(network: nn.Module, example: Tensor, taps: Sequence[str]) -> MarkedGraph:
    """Follow a network in evaluation mode, with every stochastic layer and every tap marked.

    Args:
        network: in evaluation mode; left as it was.
        example: ``(B, 3, H, W)`` float; only its shape beyond B matters.
        taps: names of layers.

    Raises:
        ConversionError: torch.export cannot follow the network with a free batch, or the network is random by itself.
    """
    frames = example[:1].expand(2, *example.shape[1:]).contiguous()  # torch.export takes a batch of 1 for a constant
    batch = torch.export.Dim("batch", min=1)
    try:
        with _marked(network, taps), _quiet(), torch.no_grad():
            program = torch.export.export(network, (frames,), strict=False, dynamic_shapes=({0: batch},))
            if any(_writes(node) for node in program.graph.nodes):
                program = program.run_decompositions({})
            module = program.module(check_guards=False)
    except Exception as error:  # torch.export raises as many types as a network has ways to surprise it
        raise ConversionError(
            f"expected a network that torch.export can follow with a free batch, got {_first_line(error)}: decide by "
            "shapes and not by values (torch.where in place of `if`), and write x.shape[0] for the batch (not len(x))"
        ) from error
    assert isinstance(module, fx.GraphModule)
    for node in module.graph.nodes:
        if _is_random(node):
            raise ConversionError(
                f"expected a network without randomness in evaluation mode, it calls {node.target}: give a functional "
                "dropout `training=self.training`, or use nn.Dropout"
            )
    (placeholder,) = module.graph.find_nodes(op="placeholder")
    output = module.graph.output_node().all_input_nodes[:1] if program.call_spec.out_spec.is_leaf() else []
    symbol = placeholder.meta["val"].shape[0].node.expr
    return MarkedGraph(module, placeholder, output[0] if output else None, symbol)


@contextmanager
def _marked(network: nn.Module, taps: Sequence[str]) -> Iterator[None]:
    """Hook the marks on, and off again; a tap that is stochastic itself is marked as a site first."""
    calls: Counter[tuple[str, str]] = Counter()

    def hook(role: str, name: str, output: Any) -> Any:
        if not isinstance(output, Tensor):
            return output
        calls[role, name] += 1
        return mark(output, role, name, calls[role, name] - 1)

    roles = [("site", name, module) for name, module in network.named_modules() if recognise(module)]
    roles += [("tap", name, network.get_submodule(name)) for name in taps]
    handles = [
        module.register_forward_hook(lambda _, __, output, role=role, name=name: hook(role, name, output))
        for role, name, module in roles
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from the user's terminal: its own deprecations, and the graph it prints where it cannot go on."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _is_random(node: fx.Node) -> bool:
    """Whether a node draws numbers; dropout that is switched off does not."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    if torch.Tag.nondeterministic_seeded not in node.target.tags:
        return False
    values = {argument.name: argument.default_value for argument in node.target._schema.arguments}
    values |= dict(zip(values, node.args, strict=False)) | node.kwargs
    return values.get("train", True) is not False and values.get("dropout_p") != 0.0


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
