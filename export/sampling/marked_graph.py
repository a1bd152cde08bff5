# SPDX-License-Identifier: Apache-2.0
"""A network as one flat graph of tensor operations, in which its stochastic layers, taps and observed layers are marked.

Forward hooks put an operation of our own, which does nothing but copy, behind each marked layer; ``torch.export`` then
follows the network with its hooks, and the marks come out as nodes of the graph.
"""

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from sympy import Symbol
from torch import Tensor, fx, nn

from export.errors import ConversionError
from export.layers.stochastic import recognise
from export.sampling.capture_errors import FixedBatch, capture_error
from export.sampling.full_precision import refuse_bfloat16
from export.sampling.in_place import without_writes
from export.sampling.python_state import state_put_back
from export.source_lines import noted_frame, place

MarkRole = Literal["site", "tap", "layer"]


@torch.library.custom_op("lsood::mark", mutates_args=())
def mark(x: Tensor, role: str, layer: str, call: int) -> Tensor:
    """Copy ``x``; the node remembers which call of which layer it came from, and in which role."""
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
        batch: the symbol of B in the nodes' shapes.
    """

    module: fx.GraphModule
    frames: fx.Node
    output: fx.Node | None
    batch: Symbol

    def marks(self, role: MarkRole) -> dict[tuple[str, int], fx.Node]:
        """Marks of one role in order of execution, by layer and call."""
        marks: dict[tuple[str, int], fx.Node] = {}
        for node in self.module.graph.nodes:
            if is_mark(node):
                _, its_role, layer, call = node.args
                marks |= {(layer, call): node} if its_role == role else {}
        return marks


def is_mark(node: fx.Node) -> bool:
    """Whether a node is a mark, of any role."""
    return node.target is torch.ops.lsood.mark.default


def mark_network(network: nn.Module, example: Tensor, taps: Sequence[str], observed: Sequence[str] = ()) -> MarkedGraph:
    """Follow a network in evaluation mode, with every stochastic layer, every tap and every observed layer marked.

    Args:
        network: in evaluation mode; left as it was.
        example: ``(B, 3, H, W)`` float; only its shape beyond B matters.
        taps: names of layers to sample.
        observed: names of layers to read in the clean pass.

    Raises:
        ConversionError: torch.export cannot follow the network with a free batch, or the network is random by itself or
            computes in bfloat16.
    """
    frames = example[:1].expand(2, *example.shape[1:]).contiguous()  # torch.export takes a batch of 1 for a constant
    batch = torch.export.Dim("batch", min=1)
    fixed = FixedBatch()
    try:
        with _quiet(), torch.no_grad(), state_put_back(network), fixed.watched():
            marked = _Marked(network, taps, observed).eval()
            program = torch.export.export(marked, (frames,), strict=False, dynamic_shapes=({0: batch},))
            program = without_writes(program)
            module = program.module(check_guards=False)
    except Exception as error:  # torch.export raises errors of many types
        raise capture_error(error, network, fixed) from error
    assert isinstance(module, fx.GraphModule)
    refuse_bfloat16(module.graph)
    for node in module.graph.nodes:
        if _is_random(node):
            where = place(noted_frame(node.stack_trace or ""))
            raise ConversionError(
                f"expected a network without randomness in evaluation mode, it calls {node.target}{where}: "
                "give a functional dropout `training=self.training`, use nn.Dropout, or draw no random numbers"
            )
    (placeholder,) = module.graph.find_nodes(op="placeholder")
    (returned,) = module.graph.find_nodes(op="output")
    output = returned.all_input_nodes[0] if program.call_spec.out_spec.child(0).is_leaf() else None
    return MarkedGraph(module, placeholder, output, placeholder.meta["val"].shape[0].node.expr)


class _Marked(nn.Module):
    """A network that gives marked layers beside its output, so that torch.export keeps those that nothing else reads."""

    def __init__(self, network: nn.Module, taps: Sequence[str], observed: Sequence[str]) -> None:
        super().__init__()
        self.network, self.taps, self.observed = network, taps, observed

    def forward(self, x: Tensor) -> tuple[object, list[Tensor]]:
        """``(B, 3, H, W)`` to the network's output and the marked output of each tap and each observed layer."""
        calls: Counter[str] = Counter()
        read: list[Tensor] = []

        def mark_site(layer: str, output: object) -> object:
            calls[layer] += 1
            return mark(output, "site", layer, calls[layer] - 1) if isinstance(output, Tensor) else output

        def mark_as(role: MarkRole, layer: str, output: object) -> None:
            assert isinstance(output, Tensor)  # check_layers has refused every other layer
            read.append(mark(output, role, layer, 0))

        hooks: list[tuple[Callable[[str, object], object], str]] = [
            (mark_site, name) for name, module in self.network.named_modules() if recognise(module)
        ]
        # Behind the site's, where the layer is stochastic itself.
        hooks += [(partial(mark_as, "tap"), name) for name in self.taps]
        hooks += [(partial(mark_as, "layer"), name) for name in self.observed]
        handles = [
            self.network.get_submodule(name).register_forward_hook(
                lambda _, __, output, hook=hook, name=name: hook(name, output)
            )
            for hook, name in hooks
        ]
        try:
            return self.network(x), read
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch prints: deprecation warnings of its own, and the graph where it cannot go on."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _is_random(node: fx.Node) -> bool:
    """Whether a node draws numbers; dropout that is switched off does not."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    if torch.Tag.nondeterministic_seeded not in node.target.tags:
        return False
    values = {argument.name: argument.default_value for argument in node.target._schema.arguments}
    values |= dict(zip(values, node.args, strict=False)) | node.kwargs
    return values.get("train", values.get("training", True)) is not False and values.get("dropout_p") != 0.0
