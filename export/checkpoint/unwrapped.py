# SPDX-License-Identifier: Apache-2.0
"""Take the wrappers of ``torch.compile`` and of data parallelism off a network, so that its layers have their own names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from torch import nn

from export.errors import ConversionError
from export.findings import Finding

_COMPILED = "_orig_mod"


def unwrapped(network: nn.Module) -> tuple[nn.Module, tuple[Finding, ...]]:
    """Take wrappers off a network and off every layer in it, in place.

    Args:
        network: any module.

    Returns:
        The network, and a finding where wrappers were taken off.
    """
    inside, kinds = without_wrapper(network)
    found = [f"{kind} of the network" for kind in kinds] + list(_taken_off(inside, "", set()))
    reason = "taken off, so that layers have their own names and can be followed"
    return inside, (Finding("wrappers", ", ".join(found), "found", reason),) if found else ()


def _taken_off(layer: nn.Module, place: str, seen: set[nn.Module]) -> Iterator[str]:
    """Take off what is around the parts of a layer, and what compiles the layer itself; yield each."""
    if layer in seen or isinstance(layer, torch.jit.ScriptModule):
        return
    seen.add(layer)
    for name, child in layer._modules.items():
        if child is not None:
            inside, kinds = without_wrapper(child)
            layer._modules[name] = inside
            where = f"{place}.{name}" if place else name
            yield from (f"{kind} of {where}" for kind in kinds)
            yield from _taken_off(inside, where, seen)
    if layer._compiled_call_impl is not None:
        layer._compiled_call_impl = None
        yield f"torch.compile of {place or 'the network'}"
    original = getattr(layer.forward, "_torchdynamo_orig_callable", None)
    if original is not None:
        layer.__dict__["forward"] = _bound(original, layer)
        yield f"torch.compile of {place or 'the network'}'s forward"


def without_wrapper(layer: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """A module without the wrappers around it, and the kinds of these, from the outside in."""
    kinds: list[str] = []
    while True:
        if isinstance(layer, nn.DataParallel | nn.parallel.DistributedDataParallel):
            kinds.append(type(layer).__name__)
            layer = layer.module
        elif type(layer).__module__.startswith("torch._dynamo") and _COMPILED in layer._modules:
            kinds.append("torch.compile")
            layer = layer.get_submodule(_COMPILED)
        else:
            return layer, tuple(kinds)


def _bound(original: Callable[..., object], layer: nn.Module) -> Callable[..., object]:
    return original if hasattr(original, "__self__") else MethodType(original, layer)


@contextmanager
def refuse_scripted_layers(network: nn.Module) -> Iterator[None]:
    """Refuse a call of a layer that is TorchScript; one that is never called does no harm.

    Raises:
        ConversionError: it names the layer.
    """

    def refuse(place: str, layer: torch.jit.ScriptModule) -> None:
        raise ConversionError(
            f"expected layers in Python, {place or 'the network'} is TorchScript (of {layer.original_name}), whose inside "
            "cannot be followed: build the network without torch.jit.script and torch.jit.trace, its weights stay the same"
        )

    handles = [
        layer.register_forward_pre_hook(lambda layer, _, place=place: refuse(place, layer))
        for place, layer in network.named_modules()
        if isinstance(layer, torch.jit.ScriptModule)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
