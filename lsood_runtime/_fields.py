# SPDX-License-Identifier: Apache-2.0
"""Read frozen dataclasses out of JSON values by their annotations: exact types, and errors that name the field."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from reprlib import repr as short_repr
from typing import Any, TypeVar

from lsood_runtime._exceptions import BundleError

T = TypeVar("T")

_SCALARS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("an integer", lambda value: type(value) is int),
    float: ("a finite number", lambda value: type(value) in (int, float) and math.isfinite(value)),
    str: ("one line of printable text", lambda value: type(value) is str and value.isprintable()),
    Any: ("a value", lambda value: True),
}


def require(holds: bool, field: str, wanted: str, got: object) -> None:
    """Raise a BundleError that names a manifest field unless ``holds``."""
    if not holds:
        raise BundleError(f"expected {wanted} in field {field}, got {short_repr(got)}: export the bundle again")


def parse_json(text: str) -> Any:
    """Parse JSON strictly.

    Raises:
        BundleError: not JSON, nested too deeply, or with the NaN and Infinity that JSON does not have.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"expected JSON, got {error}: export the bundle again") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the constant {name}")


def read_dataclass(cls: type[T], value: object, field: str = "") -> T:
    """Build ``cls`` from a JSON object; fields that ``cls`` does not know are left alone.

    Args:
        cls: a dataclass of scalars, literals, tuples, dictionaries, optional values and further dataclasses.
        value: what ``json.loads`` gave.
        field: dotted name of ``value`` in the document, for messages.

    Raises:
        BundleError: a field is missing or has another type.
    """
    require(isinstance(value, dict), field or "(top)", "an object", value)
    entries = typing.cast(dict[str, Any], value)
    hints, read = typing.get_type_hints(cls), {}
    for name in (f.name for f in dataclasses.fields(cls)):  # type: ignore[arg-type]
        path = f"{field}.{name}" if field else name
        require(name in entries, path, "a value", "nothing")
        read[name] = _read(hints[name], entries[name], path)
    return cls(**read)


def _read(hint: Any, value: Any, field: str) -> Any:
    if hint in _SCALARS:
        wanted, fits = _SCALARS[hint]
        require(fits(value), field, wanted, value)
        return float(value) if hint is float else value
    if dataclasses.is_dataclass(hint):
        return read_dataclass(typing.cast(type, hint), value, field)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        require(type(value) is str and value in arguments, field, " or ".join(map(repr, arguments)), value)
        return value
    if origin in (types.UnionType, typing.Union):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _read(inner, value, field)
    if origin is tuple:
        require(type(value) is list, field, "a list", value)
        count = len(value) if arguments[-1] is ... else len(arguments)
        require(len(value) == count, field, f"{count} values", value)
        return tuple(_read(arguments[0], item, f"{field}[{i}]") for i, item in enumerate(value))
    assert origin is dict, f"{field} is annotated {hint}, which no JSON value is read into"
    require(isinstance(value, dict), field, "an object", value)
    return {_read(str, key, field): _read(arguments[1], item, f"{field}.{key}") for key, item in value.items()}
