# SPDX-License-Identifier: Apache-2.0
"""Attributes of a network that stand in the way of torch's own methods of modules, such as a list named ``children``."""

import inspect
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from export.errors import CheckpointError

_OF_LAYERS = (
    "children",
    "named_children",
    "named_modules",
    "named_parameters",
    "named_buffers",
    "train",
    "state_dict",
    "register_forward_hook",
)
_OF_NETWORKS = ("eval", "load_state_dict", "get_submodule")


def check_method_names(network: nn.Module, also: Sequence[str] = ()) -> None:
    """Refuse attributes by which torch itself can no longer load a network or switch it to evaluation.

    Lists named ``modules``, ``parameters`` or ``buffers`` do no harm: this package calls torch's methods of these names.

    Args:
        network: any module.
        also: further methods that its caller needs of the network.

    Raises:
        CheckpointError: it names attribute, layer and remedy.
    """
    for place, layer in _layers(network, "", set()):
        for name in (*_OF_LAYERS, *(() if place else (*_OF_NETWORKS, *also))):
            value = inspect.getattr_static(layer, name)
            if not callable(value):
                where = f" of the layer {place}" if place else ""
                raise CheckpointError(
                    f"expected {name}{where} to be torch's method, got an attribute of {type(layer).__name__} "
                    f"({type(value).__name__}) that hides it: rename the attribute, such as self.{name}_"
                )


def _layers(layer: nn.Module, place: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """What ``named_modules`` gives, without calling a method of the network."""
    if layer in seen or isinstance(layer, torch.jit.ScriptModule):
        return
    seen.add(layer)
    yield place, layer
    for name, child in layer._modules.items():
        if child is not None:
            yield from _layers(child, f"{place}.{name}" if place else name, seen)
