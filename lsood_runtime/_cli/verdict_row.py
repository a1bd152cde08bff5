# SPDX-License-Identifier: Apache-2.0
"""Choose what of a verdict a row holds: the parts of its score, as one object or as columns, or not at all."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._rows.row_block import FEATURES
from lsood_runtime._text.json_values import JsonNumbers, JsonScalar, JsonValue

Row = Mapping[str, JsonValue]
"""A verdict by the names of its fields; ``parts`` holds an object, and ``features``, where they are kept, a list."""


def without_parts(row: Row) -> Row:
    """The row without the parts of the score."""
    return {name: value for name, value in row.items() if name != "parts"}


def with_features(row: Row, features: NDArray[np.float32] | None) -> Row:
    """The row with the column of features, in the shortest digits that tell the float32; None where there are none."""
    told = None if features is None else tuple(float(str(value)) if np.isfinite(value) else None for value in features)
    return {**row, FEATURES: told}


def numbers_text(value: JsonScalar | JsonNumbers) -> JsonScalar:
    """The value, a list of numbers as text with spaces between them, ``nan`` for what is not finite."""
    if not isinstance(value, tuple):
        return value
    return " ".join("nan" if number is None else repr(number) for number in value)


def in_columns(row: Row) -> dict[str, JsonScalar | JsonNumbers]:
    """The row in one level: the field ``b`` of an object ``a`` becomes the column ``a.b``."""
    return dict(_columns(row))


def _columns(row: Row) -> Iterator[tuple[str, JsonScalar | JsonNumbers]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())
        else:
            yield name, value
