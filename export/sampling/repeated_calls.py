# SPDX-License-Identifier: Apache-2.0
"""Calls of a network's layers that repeat from pass to pass: kept in a first pass, given again in later ones.

What lies upstream of the first mask is the same in every pass on the same input. The unchanged network computes it once,
layer by layer in eager mode, and a later pass takes it from there; nothing of the captured graph takes part.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

Forward = Callable[..., object]
Calls = Counter[nn.Module]
"""How often each layer was called."""


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a layer that later passes need not repeat.

    Attributes:
        output: what it returned.
        versions: of the tensors in it, which each work in place raises.
        inside: calls that it made of other layers.
    """

    output: object
    versions: list[int]
    inside: Calls

    def is_as_given(self) -> bool:
        """Whether nothing behind the layer has worked in place on its output."""
        return [tensor._version for tensor in _tensors(self.output)] == self.versions

    def again(self) -> object:
        """The output once more, in tensors of its own: a layer behind it may work in place."""
        return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, self.output)


class RepeatedCalls:
    """Keeps the outputs of layers in a first pass, up to a point, and gives them again in later passes on the same input.

    The outermost layers that were done before the point are kept, those inside them are not. A layer runs in every pass where
    it returns something else than tensors, works in place on its input or gives a part of it, or where something behind it
    works in place on its output.

    Args:
        network: in evaluation mode; run it outside of ``torch.inference_mode``, whose tensors do not say that they change.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._kept: dict[tuple[nn.Module, int], _Call] = {}
        self._calls: Calls = Counter()
        self._keeping = False

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Keep outputs in the pass that is run inside, until :meth:`stop`."""
        self._kept, self._calls, self._keeping = {}, Counter(), True
        with self._in_place_of_forward(self._run_and_keep):
            yield

    def stop(self) -> None:
        """Keep no further outputs: what comes next depends on the masks."""
        if self._keeping:
            self._keeping = False
            self._kept = {key: call for key, call in self._kept.items() if call.is_as_given()}

    @contextmanager
    def give(self) -> Iterator[None]:
        """Give kept outputs in place of running their layers, in the pass that is run inside."""
        self.stop()
        self._calls = Counter()
        with self._in_place_of_forward(self._give_or_run):
            yield

    def _run_and_keep(self, layer: nn.Module, forward: Forward, arguments: Any, options: Any) -> object:
        if not self._keeping:
            return forward(*arguments, **options)
        key, before, kept = (layer, self._calls[layer]), self._calls.copy(), len(self._kept)
        self._calls[layer] += 1
        given = _tensors((arguments, options))
        versions = [tensor._version for tensor in given]
        output = forward(*arguments, **options)
        unchanged = [tensor._version for tensor in given] == versions
        if self._keeping and unchanged and _stands_alone(output, given):
            for inner in list(self._kept)[kept:]:
                del self._kept[inner]
            inside = self._calls - before
            inside[layer] -= 1
            self._kept[key] = _Call(output, [tensor._version for tensor in _tensors(output)], inside)
        return output

    def _give_or_run(self, layer: nn.Module, forward: Forward, arguments: Any, options: Any) -> object:
        call = self._kept.get((layer, self._calls[layer]))
        self._calls[layer] += 1
        if call is None:
            return forward(*arguments, **options)
        self._calls.update(call.inside)
        return call.again()

    @contextmanager
    def _in_place_of_forward(self, run: Callable[[nn.Module, Forward, Any, Any], object]) -> Iterator[None]:
        """Let ``run`` call the forward of every layer; their hooks stay as they are."""

        def replaced(layer: nn.Module, forward: Forward) -> Forward:
            return lambda *arguments, **options: run(layer, forward, arguments, options)

        layers = [layer for layer in nn.Module.modules(self._network) if not isinstance(layer, torch.jit.ScriptModule)]
        own = {layer: layer.__dict__["forward"] for layer in layers if "forward" in layer.__dict__}
        for layer in layers:
            layer.__dict__["forward"] = replaced(layer, layer.forward)
        try:
            yield
        finally:
            for layer in layers:
                del layer.__dict__["forward"]
                if layer in own:
                    layer.__dict__["forward"] = own[layer]


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)]


def _stands_alone(output: object, given: list[Tensor]) -> bool:
    """Whether an output is of tensors alone, each with a memory of its own."""
    tensors = _tensors(output)
    memories = [tensor.untyped_storage().data_ptr() for tensor in (*given, *tensors)]
    others = set(memories[: len(given)])
    own = memories[len(given) :]
    return (
        all(leaf is None or isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(output))
        and len(set(own)) == len(own)
        and others.isdisjoint(own)
    )
