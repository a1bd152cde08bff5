# SPDX-License-Identifier: Apache-2.0
"""Operations that a captured network does in place, each replaced by the one that gives its result in a new tensor.

``run_decompositions`` does so for whatever there is, and follows the whole network twice more for it. Activations and sums,
which are all that most networks do in place, are replaced in the graph itself where nothing else that is read later holds the
memory that they overwrite. It also writes out blocks of autocast and of gradients, which a capture keeps as graphs of their
own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

_ACTIVATIONS = "elu hardsigmoid hardswish hardtanh leaky_relu mish relu relu6 sigmoid silu tanh"
_ARITHMETIC = "add clamp clamp_max clamp_min div mul sub"
_ELEMENTWISE = frozenset([*_ACTIVATIONS.split(), *_ARITHMETIC.split()])
"""Operations that give a tensor of the first one's shape and type, where all of them are of its floating type."""


def without_writes(program: ExportedProgram) -> ExportedProgram:
    """A flat program that computes the same and does nothing in place; the graph of the one that is given may change."""
    if any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes):
        return _followed_again(program)
    order = {node: i for i, node in enumerate(program.graph.nodes)}
    holders: dict[object, list[fx.Node]] = defaultdict(list)
    for node in order:
        for memory in {_memory(tensor) for tensor in _tensors(node)}:
            holders[memory].append(node)
    for node in filter(_writes, order):
        form = _form_of_its_own(node)
        if form is None or not _read_instead(node, holders, order):
            return _followed_again(program)
        node.target = form
    return program


def _followed_again(program: ExportedProgram) -> ExportedProgram:
    with_gradients = torch.ops.higher_order.wrap_with_set_grad_enabled
    for block in program.graph.find_nodes(op="call_function", target=with_gradients):
        block.update_arg(0, False)  # torch cannot follow parameters again that need gradients, which nobody asks for
    decomposed: ExportedProgram = program.run_decompositions({})
    return decomposed


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _form_of_its_own(node: fx.Node) -> torch._ops.OpOverload | None:
    """The operation that gives in a new tensor what a node writes into its first; None where there may be none."""
    assert isinstance(node.target, torch._ops.OpOverload)
    written = node.target._schema.name.removeprefix("aten::")  # add_ where it writes into its first, add into its `out`
    name = written.removesuffix("_")
    types = {tensor.dtype for source in node.all_input_nodes for tensor in _tensors(source)}
    if not written.endswith("_") or name not in _ELEMENTWISE or len(types) > 1 or not types.pop().is_floating_point:
        return None
    form = getattr(getattr(torch.ops.aten, name), node.target._overloadname)
    assert isinstance(form, torch._ops.OpOverload)
    return form


def _read_instead(node: fx.Node, holders: Mapping[object, Sequence[fx.Node]], order: Mapping[fx.Node, int]) -> bool:
    """Let what reads the tensor that a node overwrites behind it read the node; whether nothing else sees the overwriting."""
    overwritten = node.all_input_nodes[0]
    later = {
        holder: {user for user in holder.users if order[user] > order[node]}
        for holder in holders[_memory(node.meta["val"])]
        if order[holder] < order[node]
    }
    outside = overwritten not in later or any(holder.op != "call_function" for holder in later)  # a weight, the input
    if outside:
        return False
    readers = later.pop(overwritten)
    if any(later.values()):
        return False
    overwritten.replace_all_uses_with(node, delete_user_cb=readers.__contains__)
    return True


def _tensors(node: fx.Node) -> list[Tensor]:
    return [value for value in pytree.tree_leaves(node.meta.get("val")) if isinstance(value, Tensor)]


def _memory(tensor: Tensor) -> object:
    return tensor.untyped_storage()._cdata
