# SPDX-License-Identifier: Apache-2.0
"""What a network keeps in Python objects between its calls: put back after a capture, which would leave symbols there."""

import functools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType

from torch import Tensor, nn

from export.source_lines import is_of_the_user

_PLAIN = (str, bytes, int, float, complex, type(None), Tensor, logging.Logger)
_Cached = functools._lru_cache_wrapper


@contextmanager
def state_put_back(network: nn.Module) -> Iterator[None]:
    """Put back the attributes, dicts, lists and globals that a network changes inside; empty caches that it has filled.

    Grids for the next call, lists of features, the size of the last frame: torch.export runs a network on symbols, which have
    no values, and an object that kept one would fail at the next call. Followed are the attributes of layers and of objects
    in them, through dicts, lists and tuples; and, for files that belong to no installed package, the globals of the network's
    classes and of the functions, classes and modules that these name. Not torch's own objects, no closures, no object of an
    installed package that only another one of a global leads to, and not the table of imported modules: what is imported
    inside stays so.
    """
    undo = [_undo(holder) for holder in _holders(network)]
    try:
        yield
    finally:
        for put_back in undo:
            put_back()


def _undo(holder: object) -> Callable[[], None]:
    """What puts a holder back to what it holds now; nothing is touched where it has not changed."""
    if isinstance(holder, _Cached):
        return functools.partial(_empty_cache, holder, holder.cache_info().currsize)
    if isinstance(holder, type):
        return functools.partial(_put_back_attributes, holder, dict(vars(holder)))
    if isinstance(holder, dict):
        return functools.partial(_put_back_dict, holder, holder.copy())
    assert isinstance(holder, list)
    return functools.partial(_put_back_list, holder, holder.copy())


def _empty_cache(cached: "_Cached[object]", size: int) -> None:
    if cached.cache_info().currsize != size:
        cached.cache_clear()


def _put_back_attributes(owner: type, before: Mapping[str, object]) -> None:
    now = dict(vars(owner))
    for name in now.keys() - before.keys():
        delattr(owner, name)
    for name, value in before.items():
        if name not in now or now[name] is not value:
            setattr(owner, name, value)


def _put_back_dict(holder: dict[object, object], before: Mapping[object, object]) -> None:
    if _same([*holder, *holder.values()], [*before, *before.values()]):
        return
    if "__builtins__" not in holder:
        holder.clear()
        holder.update(before)
        return
    for name in holder.keys() - before.keys():  # globals of a module, whose functions need the others all the while
        del holder[name]
    for name, value in before.items():
        if name not in holder or holder[name] is not value:
            holder[name] = value


def _put_back_list(holder: list[object], before: list[object]) -> None:
    if not _same(holder, before):
        holder[:] = before


def _same(now: list[object], before: list[object]) -> bool:
    return len(now) == len(before) and all(one is other for one, other in zip(now, before, strict=True))


def _holders(network: nn.Module) -> Iterator[object]:
    """Every dict, list, class and cache in which a network can keep something, each once."""
    seen: dict[int, object] = {}  # holds the objects, so that none of their numbers is given to another
    named: list[object] = []
    yield from _followed([network], seen, named)
    yield from _followed(named, seen, None)


def _followed(start: Iterable[object], seen: dict[int, object], named: list[object] | None) -> Iterator[object]:
    """The holders among some objects and what these lead to.

    Args:
        start: objects to begin with.
        seen: objects that were followed, by number; gains those that are.
        named: gains the globals of functions, which are not followed then. None: they are, and an object of an installed
            package within another is left alone, since it leads to all that the process has.
    """
    waiting = [(each, False) for each in start]
    while waiting:
        found, in_package = waiting.pop()
        if isinstance(found, _PLAIN) or found is sys.modules or id(found) in seen:
            continue
        is_package = named is None and _is_of_a_package(found)
        if is_package and in_package:
            continue
        seen[id(found)] = found
        if isinstance(found, dict | list) or (isinstance(found, type | _Cached) and _is_users(found)):
            yield found
        within = _within(found)
        if named is not None and isinstance(found, FunctionType):
            named += within
        else:
            leaves = isinstance(found, type | FunctionType | ModuleType) or _is_users(type(found))
            waiting += [(each, is_package or (in_package and not leaves)) for each in within]


def _within(found: object) -> Iterator[object]:
    """What an object holds or names."""
    if isinstance(found, dict):
        yield from found.values()
    elif isinstance(found, list | tuple):
        yield from found
    elif isinstance(found, type | FunctionType | MethodType | ModuleType | _Cached):
        if _is_users(found):
            yield from _named_by(found)
    elif isinstance(found, nn.Module) or not type(found).__module__.startswith("torch"):
        yield getattr(found, "__dict__", None)
        yield from type(found).__mro__


def _named_by(found: object) -> Iterator[object]:
    """What a class, a function or a module names."""
    if isinstance(found, MethodType):
        yield from (found.__self__, found.__func__)
    elif isinstance(found, _Cached):
        yield found.__wrapped__
    elif isinstance(found, FunctionType):
        yield found.__globals__
    elif isinstance(found, type):
        yield from vars(found).values()
        yield from (value.__func__ for value in vars(found).values() if isinstance(value, staticmethod | classmethod))
    else:
        yield vars(found)


def _is_of_a_package(found: object) -> bool:
    """Whether an object's class is one of an installed package, beside Python's own and torch's layers."""
    kind = type(found)
    own = isinstance(found, nn.Module) or kind.__module__.partition(".")[0] in sys.stdlib_module_names
    return not own and not _is_users(kind)


def _is_users(found: object) -> bool:
    """Whether a class, a function or a module stands in a file that belongs to no installed package."""
    if isinstance(found, MethodType):
        return True  # judged by its two parts
    if isinstance(found, _Cached):
        found = found.__wrapped__
    if isinstance(found, FunctionType):
        return is_of_the_user(found.__code__.co_filename)
    module = found if isinstance(found, ModuleType) else sys.modules.get(found.__module__)
    if module is None:
        return True  # of a file beside the network's, which was forgotten when the network was built
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_of_the_user(file)
