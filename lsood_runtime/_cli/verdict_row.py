# SPDX-License-Identifier: Apache-2.0
"""Choose what of a verdict a row holds: the parts of its score, as one object or as columns, or not at all."""

from collections.abc import Iterator, Mapping

from lsood_runtime._text.json_values import JsonScalar, JsonValue

Row = Mapping[str, JsonValue]
"""A verdict by the names of its fields; ``parts`` holds an object."""


def without_parts(row: Row) -> Row:
    """The row without the parts of the score."""
    return {name: value for name, value in row.items() if name != "parts"}


def in_columns(row: Row) -> dict[str, JsonScalar]:
    """The row in one level: the field ``b`` of an object ``a`` becomes the column ``a.b``."""
    return dict(_columns(row))


def _columns(row: Row) -> Iterator[tuple[str, JsonScalar]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())
        else:
            yield name, value
