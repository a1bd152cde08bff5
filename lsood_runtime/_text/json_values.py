# SPDX-License-Identifier: Apache-2.0
"""Read JSON strictly, and make values fit for it: it has neither NaN nor infinity, and each name once."""

import json
import math
from collections.abc import Mapping
from reprlib import repr as short_repr
from typing import Any, TypeAlias

import numpy as np

JsonScalar: TypeAlias = str | int | float | bool | None
"""A JSON value that is neither a list nor an object."""

JsonNumbers: TypeAlias = tuple[float | None, ...]
"""A list of numbers, None for what is not finite."""

JsonValue: TypeAlias = JsonScalar | JsonNumbers | Mapping[str, JsonScalar]
"""A JSON scalar, a list of numbers, or an object of scalars."""


def finite_or_none(value: float | None) -> float | None:
    """The number as a Python float; None where it is NaN, infinite or None."""
    return None if value is None or not math.isfinite(value) else float(value)


def python_scalar(value: JsonValue | np.generic) -> JsonValue:
    """The value, or the plain Python one where it is numpy's."""
    if not isinstance(value, np.generic):
        return value
    plain: JsonScalar = value.item()
    return plain


def finite_values(values: Mapping[str, object]) -> dict[str, object]:
    """The mapping with None for each float that is not finite, in tuples and lists too."""
    return {name: _finite_value(value) for name, value in values.items()}


def _finite_value(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_finite_value(item) for item in value]
    return finite_or_none(value) if isinstance(value, float) else value


def parse_json(text: str | bytes) -> Any:
    """Parse JSON of which every number is finite and no object has a name twice.

    Raises:
        ValueError: damaged text, a number that is not finite, or a name that stands twice: readers differ in which they take.
        RecursionError: values nested too deeply.
    """
    return json.loads(
        text, parse_constant=_refuse_constant, parse_float=_finite_number, object_pairs_hook=_unlike_names
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _unlike_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the name {short_repr(name)} stands twice in one object")
        values[name] = value
    return values
