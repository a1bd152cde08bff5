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
    found = [f"{kind} of the network" for kind in kinds]
    for place, layer in list(inside.named_modules()):
        if isinstance(layer, torch.jit.ScriptModule):
            continue
        for name, child in layer.named_children():
            layer._modules[name], kinds = without_wrapper(child)
            found += [f"{kind} of {place}.{name}".replace(" .", " ") for kind in kinds]
        if layer._compiled_call_impl is not None:
            layer._compiled_call_impl = None
            found.append(f"torch.compile of {place or 'the network'}")
        original = getattr(layer.forward, "_torchdynamo_orig_callable", None)
        if original is not None:
            layer.__dict__["forward"] = _bound(original, layer)
            found.append(f"torch.compile of {place or 'the network'}'s forward")
    reason = "taken off, so that layers have their own names and can be followed"
    return inside, (Finding("wrappers", ", ".join(found), "found", reason),) if found else ()


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
