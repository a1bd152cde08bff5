# SPDX-License-Identifier: Apache-2.0
"""Build dataclasses from parsed JSON, with every field checked against its type."""

import dataclasses
import math
import types
import typing
from reprlib import repr as short_repr
from typing import Any, Self, TypeVar

from lsood_runtime._exceptions import BundleError

Record = TypeVar("Record")


class FieldError(ValueError):
    """What is wrong with a field, in words that begin with "field" and its name."""

    @classmethod
    def of(cls, where: str, expected: str, value: object) -> Self:
        """Of a field with a wrong value."""
        return cls(f"field {where} to be {expected}, got {short_repr(value)}")


def parse_record(kind: type[Record], values: object) -> Record:
    """Build a dataclass from a JSON object of a manifest, as :func:`parse_fields` does.

    Raises:
        BundleError: a field is missing, or of another type; the message names it.
    """
    try:
        return parse_fields(kind, values)
    except FieldError as error:
        raise _of_manifest(error) from None


def parse_fields(kind: type[Record], values: object) -> Record:
    """Build a dataclass from a JSON object. Unknown names are ignored; fields with a default factory may be missing.

    Raises:
        FieldError: a field is missing, or of another type.
    """
    return typing.cast(Record, _parse(kind, values, ""))


def field_error(where: str, expected: str, value: object) -> BundleError:
    """The error for a manifest's field with a wrong value, in one line."""
    return _of_manifest(FieldError.of(where, expected, value))


def _of_manifest(error: FieldError) -> BundleError:
    return BundleError(f"expected the manifest's {error}: export it again")


def _parse(kind: object, value: object, where: str) -> object:
    """Check ``value`` against the type ``kind`` and build it; ``where`` names the field in messages."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:
        return _parse_union(arguments, value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _parse_dataclass(kind, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise FieldError.of(where, "an object", value)
        return {_parse(str, key, where): _parse(arguments[1], item, _join(where, key)) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, list):
            raise FieldError.of(where, "a list", value)
        return tuple(_parse(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    return _parse_scalar(typing.cast(type, kind), value, where)


def _parse_union(options: tuple[type, ...], value: object, where: str) -> object:
    for option in options:
        if option is types.NoneType and value is None:
            return None
        if option is not types.NoneType and value is not None and _matches(option, value):
            return _parse(option, value, where)
    raise FieldError.of(where, " or ".join(getattr(option, "__name__", str(option)) for option in options), value)


def _parse_dataclass(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise FieldError.of(where, "an object", value)
    hints = typing.get_type_hints(kind)
    required = [field.name for field in dataclasses.fields(kind) if field.default_factory is dataclasses.MISSING]
    missing = [name for name in required if name not in value]
    if missing:
        raise FieldError(f"field {_join(where, missing[0])}, it is missing")
    given = {name: hint for name, hint in hints.items() if name in value}
    return kind(**{name: _parse(hint, value[name], _join(where, name)) for name, hint in given.items()})


def _parse_scalar(kind: type, value: object, where: str) -> object:
    if not _matches(kind, value):
        raise FieldError.of(where, kind.__name__, value)
    if isinstance(value, str) and not value.isprintable():
        raise FieldError.of(where, "one line of printable text", value)
    if kind is not float:
        return value
    try:
        number = float(typing.cast(float, value))
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FieldError.of(where, "a finite number", value)
    return number


def _matches(kind: type, value: object) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if typing.get_origin(kind) is tuple:
        return isinstance(value, list)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, dict)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
