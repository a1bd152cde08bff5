# SPDX-License-Identifier: Apache-2.0
"""Arguments of a network's constructor: objects within them are built first, and downloads are switched off.

An object is written as LightningCLI writes it, ``{class_path: tiny.TinySeg, init_args: {width: 16}}``, at any depth. The
library that LightningCLI reads this with, jsonargparse, builds an object only where the parameter has a type that asks for
one, and many constructors take ``net`` without a type; so it is read here.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from export.checkpoint.download import without_downloads
from export.checkpoint.user_model import call_target, import_model, name_of
from export.errors import CheckpointError
from export.findings import Finding

_KEYS = {"class_path", "init_args", "dict_kwargs"}


@dataclass(frozen=True)
class SwitchedOff:
    """An argument by which a constructor would download weights, and the value under which it does not.

    Attributes:
        name: of the argument.
        asked: value that it had: the checkpoint's, or the default.
        off: value that it was given.
        owner: name of the constructor.
        place: of the object in the arguments that the constructor makes; empty for the network itself.
        is_stated: whether the checkpoint has the value, and not only the constructor as a default.
    """

    name: str
    asked: object
    off: object
    owner: str
    place: str
    is_stated: bool

    @property
    def value(self) -> str:
        """The argument as it was given."""
        return f"{self.name}={_yaml(self.off)}"

    @property
    def asked_value(self) -> str:
        """The argument as it would have been."""
        return f"{self.name}={_yaml(self.asked)}"

    @property
    def reason(self) -> str:
        """Why it was switched off."""
        inside = f" ({self.place})" if self.place else ""
        return f"so that {self.owner}{inside} downloads no weights: they come from the checkpoint"

    def words(self, value: str) -> tuple[str, ...]:
        """The flag that states one of the two values; none for an object in an argument."""
        return () if self.place else ("--model-arg", value)

    @property
    def finding(self) -> Finding:
        """That it was switched off, as a guess."""
        return Finding("arguments", self.value, "guessed", self.reason, self.words(self.value))


def ready_arguments(
    target: Callable[..., object],
    arguments: Mapping[str, object],
    given: Collection[str] = (),
    *,
    named: bool = False,
    switch_off: bool = True,
) -> tuple[dict[str, object], tuple[SwitchedOff, ...]]:
    """Build the objects in a constructor's arguments, and switch its downloads off.

    Args:
        target: class or factory function.
        arguments: all that it will be called with.
        given: names of those that come from the user.
        named: build modules that the other arguments name, too. A name can run any code: only for what
            :func:`export.checkpoint.named_classes.refuse_named_classes` has let pass, or the user trusts.
        switch_off: keep constructors from downloading.

    Returns:
        The arguments, and what was switched off.

    Raises:
        CheckpointError: a class cannot be imported or built.
        UsageError: a class path of another form than ``--model`` takes.
    """
    switched: list[SwitchedOff] | None = [] if switch_off else None
    ready: dict[str, object] = {}
    for name, value in arguments.items():
        is_built = name in given or (named and _takes_module(target, name))
        ready[name] = _built(value, name, switched) if is_built else value
    if switched is None:
        return ready, ()
    off = without_downloads(target, ready, given)
    switched += _switched(target, off, ready)
    return ready | off, tuple(switched)


def _built(value: object, place: str, switched: list[SwitchedOff] | None) -> object:
    """A value with the objects that it describes, at any depth, in their place."""
    if isinstance(value, list):
        return [_built(item, f"{place}.{i}", switched) for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not _is_object(value):
        return {name: _built(item, f"{place}.{name}", switched) for name, item in value.items()}
    path, own, more = value["class_path"], value.get("init_args") or {}, value.get("dict_kwargs") or {}
    if not (isinstance(path, str) and isinstance(own, Mapping) and isinstance(more, Mapping)):
        raise CheckpointError(
            f"expected class_path as text and init_args as a mapping at {place}, got {dict(value)!r}: write "
            "{class_path: package.module.Class, init_args: {width: 16}}"
        )
    target = import_model(path)
    arguments = {name: _built(item, f"{place}.{name}", switched) for name, item in (dict(own) | dict(more)).items()}
    if switched is not None:
        off = without_downloads(target, arguments, arguments)
        switched += _switched(target, off, arguments, place)
        arguments |= off
    return call_target(target, arguments, inside=True)


def _takes_module(target: Callable[..., object], name: str) -> bool:
    """Whether a parameter's type asks for a module, and not for a mapping that the constructor reads itself."""
    parameter = inspect.signature(target).parameters.get(name)
    return parameter is not None and "Module" in str(parameter.annotation)


def _is_object(value: Mapping[object, object]) -> bool:
    return "class_path" in value and value.keys() <= _KEYS


def _switched(
    target: Callable[..., object], off: Mapping[str, object], arguments: Mapping[str, object], place: str = ""
) -> list[SwitchedOff]:
    defaults = inspect.signature(target).parameters
    return [
        SwitchedOff(
            name,
            arguments.get(name, defaults[name].default),
            value,
            name_of(target),
            place,
            is_stated=name in arguments,
        )
        for name, value in off.items()
    ]


def _yaml(value: object) -> str:
    """A switch as ``--model-arg`` takes it; of an entry in an enumeration its name."""
    plain = {None: "null", True: "true", False: "false"}
    return plain[value] if value is None or isinstance(value, bool) else str(getattr(value, "name", value))
