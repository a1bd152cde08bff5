# SPDX-License-Identifier: Apache-2.0
"""Methods and parts of a network that can be called in place of ``forward``."""

import inspect
from collections.abc import Callable, Iterator
from operator import attrgetter

from torch import nn

from export.checkpoint.chosen_output import FORWARD, ChosenOutput, OutputChoice, network_name
from export.errors import ConversionError
from export.findings import PLACEHOLDER

_LIBRARIES = ("torch", "pytorch_lightning", "lightning", "lightning_fabric")
_SHOWN = 8


def with_method(network: nn.Module, method: str | None) -> nn.Module:
    """The network, which calls one of its methods or parts when it is called itself.

    Args:
        network: any module.
        method: name of a method or of a part, dotted for one inside a part; None for ``forward``.

    Raises:
        ConversionError: there is none; the message names those that there are.
    """
    name = network_name(network)
    if method is None:
        if _is_defined(network) and takes_one(network.forward):
            return network
        why = f"its forward takes {_parameters(network.forward)}" if _is_defined(network) else "it defines no forward"
        raise ConversionError(
            f"expected a network that is called with one (B, 3, H, W) tensor, {why}: {name_others(network)}, or "
            f"wrap {name} in a module with such a forward",
            words=other_words(network),
        )
    try:
        found = attrgetter(method)(network)
    except Exception:  # a user's property may raise anything
        found = None
    if not callable(found):
        raise ConversionError(
            f"expected a method or a part {method} of {name}, found none: {name_others(network)}",
            words=other_words(network),
        )
    return ChosenOutput(network, OutputChoice(method))


def name_others(network: nn.Module) -> str:
    """Words of a message that name what can be called in place of ``forward``."""
    ways = [f"--method {other}" for other in _others(network)[:_SHOWN]]
    return f"give {' or '.join(ways)}" if ways else "it has no other method or part that takes one"


def other_words(network: nn.Module) -> tuple[str, ...]:
    """Words of a command line that call what can be called in place of ``forward``; of several the choice is left open."""
    others = _others(network)
    return ("--method", others[0] if len(others) == 1 else PLACEHOLDER) if others else ()


def _others(network: nn.Module) -> list[str]:
    return [*_methods(network), *_parts(network)]


def takes_one(called: Callable[..., object]) -> bool:
    """Whether a function can be called with one argument."""
    try:
        inspect.signature(called).bind(None)
    except TypeError:
        return False
    except ValueError:  # no signature is known
        return True
    return True


def _is_defined(network: nn.Module) -> bool:
    return not any(FORWARD in vars(cls) and _is_library(cls) for cls in _definers(network, FORWARD)[:1])


def _definers(network: nn.Module, name: str) -> list[type]:
    return [] if name in vars(network) else [cls for cls in type(network).__mro__ if name in vars(cls)]


def _is_library(cls: type) -> bool:
    """Whether a class is a base that libraries offer to derive from, and not a network of theirs."""
    return cls.__name__ in ("Module", "LightningModule") and cls.__module__.partition(".")[0] in _LIBRARIES


def _parameters(called: Callable[..., object]) -> str:
    return f"({', '.join(inspect.signature(called).parameters)})"


def _methods(network: nn.Module) -> Iterator[str]:
    """Public methods of the user's own classes that take one tensor."""
    seen = {FORWARD}
    for cls in type(network).__mro__:
        if cls.__module__.partition(".")[0] in _LIBRARIES or cls is object:
            continue
        for name, value in vars(cls).items():
            if name in seen or name.startswith("_") or not inspect.isfunction(value) or _is_of_a_library(network, name):
                continue
            seen.add(name)
            if takes_one(getattr(network, name)) and _may_take_a_tensor(value):
                yield name


def _is_of_a_library(network: nn.Module, name: str) -> bool:
    """Whether a method is one that libraries call, as ``training_step``."""
    return any(name in vars(cls) for cls in type(network).__mro__ if cls.__module__.partition(".")[0] in _LIBRARIES)


def _may_take_a_tensor(method: Callable[..., object]) -> bool:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    annotation = parameters[0].annotation if parameters else inspect.Parameter.empty
    return annotation is inspect.Parameter.empty or "Tensor" in str(annotation)


def _parts(network: nn.Module) -> Iterator[str]:
    """Direct parts with weights, the heaviest first: one of them may be the network itself."""
    sizes = {name: sum(p.numel() for p in nn.Module.parameters(part)) for name, part in network.named_children()}
    return (name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name])
