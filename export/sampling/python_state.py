# SPDX-License-Identifier: Apache-2.0
"""What a network keeps in Python objects between its calls: put back after a capture, which would leave symbols there."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType

from torch import Tensor, nn

_PLAIN = (str, bytes, int, float, complex, type(None), type, Tensor, FunctionType, MethodType, ModuleType)


@contextmanager
def state_put_back(network: nn.Module) -> Iterator[None]:
    """Put back the attributes, dicts and lists that a network changes inside.

    Grids for the next call, lists of features, the size of the last frame: torch.export runs a network on symbols, which have
    no values, and an object that kept one would fail at the next call. Followed are the attributes of layers and of objects
    in them, through dicts, lists and tuples; not torch's own objects, classes, globals and functions.
    """
    kept = [(holder, holder.copy()) for holder in _holders(network)]
    try:
        yield
    finally:
        for holder, before in kept:
            if isinstance(holder, dict) and isinstance(before, dict):
                if not _same([*holder, *holder.values()], [*before, *before.values()]):
                    holder.clear()
                    holder.update(before)
            elif isinstance(holder, list) and not _same(holder, list(before)):
                holder[:] = before


def _same(now: list[object], before: list[object]) -> bool:
    return len(now) == len(before) and all(one is other for one, other in zip(now, before, strict=True))


def _holders(network: nn.Module) -> Iterator[dict[object, object] | list[object]]:
    """Every dict and list in which a network can keep something, each once."""
    waiting: list[object] = [network]
    seen: dict[int, object] = {}  # holds the objects, so that none of their numbers is given to another
    while waiting:
        found = waiting.pop()
        if isinstance(found, _PLAIN) or id(found) in seen:
            continue
        seen[id(found)] = found
        if isinstance(found, dict):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            yield found
            waiting += found
        elif isinstance(found, tuple):
            waiting += found
        elif isinstance(found, nn.Module) or not type(found).__module__.startswith("torch"):
            waiting.append(getattr(found, "__dict__", None))
