# SPDX-License-Identifier: Apache-2.0
"""The region of a graph that has to run in batch S * B, and the values that it reads from the rest, in batch B."""

from collections.abc import Iterable, Sequence
from enum import Enum, auto

import torch
from sympy import Expr
from torch import Tensor, fx

from export.sampling.marked_graph import MarkedGraph


class Role(Enum):
    """Role of a value that is computed once per frame and enters the region."""

    SHARED = auto()
    """Used as it is: weights, constants, sizes without the batch."""
    REPEATED = auto()
    """A tensor with the batch as one of its dimensions: each frame's entry S times."""
    SCALED = auto()
    """A size that is proportional to the batch: times S."""
    RECOMPUTED = auto()
    """Anything else that depends on the batch, as ``(B * heads, N, d)`` and ``zeros(B, C)`` do: joins the region."""


class Region:
    """The part of a marked graph that runs in batch S * B.

    It begins as every node between a site and a target. Values that enter it and have no clean batch dimension are
    recomputed inside, and so on upstream, until each that enters is shared, repeated or scaled.

    Args:
        marked: the graph.
        sites: marks of the stochastic layers that are sampled.
        targets: what is wanted in batch S * B; each descends from a site.

    Attributes:
        nodes: members in order of execution.
    """

    def __init__(self, marked: MarkedGraph, sites: Sequence[fx.Node], targets: Sequence[fx.Node]) -> None:
        self._batch = marked.batch
        graph = marked.module.graph
        self._of_pixels = _computed_from_pixels(marked.frames, graph)
        members = descendants(sites, graph) & ancestors(targets)
        waiting = list(members)
        while waiting:
            node = waiting.pop()
            # A site repeats its input by itself, whatever its form.
            for value in [] if node in sites else node.all_input_nodes:
                if value not in members and self.role(value) is Role.RECOMPUTED:
                    members.add(value)
                    waiting.append(value)
        self.nodes = [node for node in graph.nodes if node in members]

    def role(self, node: fx.Node) -> Role:
        """Role of a node outside the region where a member of the region reads it."""
        value = node.meta.get("val")
        if isinstance(value, torch.SymInt):
            size = value.node.expr
            if self._batch not in size.free_symbols:
                return Role.SHARED
            return Role.RECOMPUTED if self._batch in (size / self._batch).free_symbols else Role.SCALED
        if isinstance(value, Tensor):
            if not batch_dims(value, self._batch):
                return Role.SHARED
            clean = node in self._of_pixels and self.batch_dim(node) is not None
            return Role.REPEATED if clean else Role.RECOMPUTED
        several = value if isinstance(value, list | tuple) else []
        return Role.RECOMPUTED if any(batch_dims(item, self._batch) for item in several) else Role.SHARED

    def batch_dim(self, node: fx.Node) -> int | None:
        """The dimension of a tensor that is the batch; None where there is none, or another one mixes with it."""
        dims = batch_dims(node.meta["val"], self._batch)
        return next(iter(dims)) if list(dims.values()) == [self._batch] else None


def descendants(sources: Iterable[fx.Node], graph: fx.Graph) -> set[fx.Node]:
    """The sources and every node that a value of theirs reaches."""
    reached = set(sources)
    for node in graph.nodes:
        if not reached.isdisjoint(node.all_input_nodes):
            reached.add(node)
    return reached


def ancestors(targets: Iterable[fx.Node]) -> set[fx.Node]:
    """The targets and every node that they are computed from."""
    found: set[fx.Node] = set()
    waiting = list(targets)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def batch_dims(value: object, batch: Expr) -> dict[int, Expr]:
    """Sizes of those dimensions of a tensor that depend on the batch; none for what is not a tensor.

    Args:
        value: what ``node.meta["val"]`` holds.
        batch: the symbol of B.

    Returns:
        Sympy expressions by dimension.
    """
    shape: Sequence[int | torch.SymInt] = value.shape if isinstance(value, Tensor) else ()
    sizes = {i: size.node.expr for i, size in enumerate(shape) if isinstance(size, torch.SymInt)}
    return {i: size for i, size in sizes.items() if batch in size.free_symbols}


def _computed_from_pixels(frames: fx.Node, graph: fx.Graph) -> set[fx.Node]:
    """Nodes that depend on the pixels of the frames, and not on their number alone."""
    reached = {frames}
    for node in graph.nodes:
        is_size = isinstance(node.meta.get("val"), torch.SymInt)
        if not is_size and not reached.isdisjoint(node.all_input_nodes):
            reached.add(node)
    return reached
