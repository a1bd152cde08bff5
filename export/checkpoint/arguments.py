# SPDX-License-Identifier: Apache-2.0
"""Arguments of a network's constructor: objects within them are built first, and downloads are switched off.

An object is written as LightningCLI writes it, ``{class_path: tiny.TinySeg, init_args: {width: 16}}``, at any depth. The
library that LightningCLI reads this with, jsonargparse, builds an object only where the parameter has a type that asks for
one, and many constructors take ``net`` without a type; so it is read here.
"""

import inspect
from collections.abc import Callable, Collection, Mapping

from export.checkpoint.download import without_downloads
from export.checkpoint.user_model import call_target, import_model, name_of
from export.errors import CheckpointError
from export.findings import Finding

_KEYS = {"class_path", "init_args", "dict_kwargs"}


def ready_arguments(
    target: Callable[..., object],
    arguments: Mapping[str, object],
    given: Collection[str] = (),
    *,
    named: bool = False,
) -> tuple[dict[str, object], tuple[Finding, ...]]:
    """Build the objects in a constructor's arguments, and switch its downloads off.

    Args:
        target: class or factory function.
        arguments: all that it will be called with.
        given: names of those that come from the user.
        named: build modules that the other arguments name, too. A name can run any code: only for what
            :func:`export.checkpoint.named_classes.refuse_named_classes` has let pass, or the user trusts.

    Returns:
        The arguments, and a finding for each download that was switched off.

    Raises:
        CheckpointError: a class cannot be imported or built.
        UsageError: a class path of another form than ``--model`` takes.
    """
    findings: list[Finding] = []
    ready: dict[str, object] = {}
    for name, value in arguments.items():
        is_built = name in given or (named and _takes_module(target, name))
        ready[name] = _built(value, name, findings) if is_built else value
    off = without_downloads(target, ready, given)
    findings += [
        _switched(name, value, name_of(target), ("--model-arg", f"{name}={_yaml(value)}"))
        for name, value in off.items()
    ]
    return ready | off, tuple(findings)


def _built(value: object, place: str, findings: list[Finding]) -> object:
    """A value with the objects that it describes, at any depth, in their place."""
    if isinstance(value, list):
        return [_built(item, f"{place}.{i}", findings) for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not _is_object(value):
        return {name: _built(item, f"{place}.{name}", findings) for name, item in value.items()}
    path, own, more = value["class_path"], value.get("init_args") or {}, value.get("dict_kwargs") or {}
    if not (isinstance(path, str) and isinstance(own, Mapping) and isinstance(more, Mapping)):
        raise CheckpointError(
            f"expected class_path as text and init_args as a mapping at {place}, got {dict(value)!r}: write "
            "{class_path: package.module.Class, init_args: {width: 16}}"
        )
    target = import_model(path)
    arguments = {name: _built(item, f"{place}.{name}", findings) for name, item in (dict(own) | dict(more)).items()}
    off = without_downloads(target, arguments, arguments)
    findings += [_switched(name, item, f"{name_of(target)} ({place})", ()) for name, item in off.items()]
    return call_target(target, arguments | off, inside=True)


def _takes_module(target: Callable[..., object], name: str) -> bool:
    """Whether a parameter's type asks for a module, and not for a mapping that the constructor reads itself."""
    parameter = inspect.signature(target).parameters.get(name)
    return parameter is not None and "Module" in str(parameter.annotation)


def _is_object(value: Mapping[object, object]) -> bool:
    return "class_path" in value and value.keys() <= _KEYS


def _switched(name: str, value: object, owner: str, words: tuple[str, ...]) -> Finding:
    reason = f"so that {owner} downloads no weights: they come from the checkpoint"
    return Finding("arguments", f"{name}={_yaml(value)}", "guessed", reason, words)


def _yaml(value: object) -> str:
    return "null" if value is None else "false"
