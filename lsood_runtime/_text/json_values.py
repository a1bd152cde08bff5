# SPDX-License-Identifier: Apache-2.0
"""Make values fit for JSON, which has neither NaN nor infinity."""

import math
from collections.abc import Mapping
from typing import TypeAlias

JsonScalar: TypeAlias = str | int | float | bool | None
"""A JSON value that is neither a list nor an object."""

JsonValue: TypeAlias = JsonScalar | Mapping[str, JsonScalar]
"""A JSON value that is no list, and an object of such scalars at most."""


def finite_or_none(value: float | None) -> float | None:
    """The number as a Python float; None where it is NaN, infinite or None."""
    return None if value is None or not math.isfinite(value) else float(value)


def finite_values(values: Mapping[str, object]) -> dict[str, object]:
    """The mapping with None for each float that is not finite, in tuples and lists too."""
    return {name: _finite_value(value) for name, value in values.items()}


def _finite_value(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_finite_value(item) for item in value]
    return finite_or_none(value) if isinstance(value, float) else value
