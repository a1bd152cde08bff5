# SPDX-License-Identifier: Apache-2.0
"""Walk over the fields of a protobuf message without a copy; the runtime does without the package ``onnx``.

A message is a range of places in the bytes of a file. The walk is much of what a load of a small bundle takes, so that its
fields are plain tuples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

NUMBER = -1
"""Stands for the start of a field that is a number and no message or text."""

Field = tuple[int, int, int]
"""Number of a field with the places where its bytes start and stop; or with :data:`NUMBER` and its value.

The value is that of a varint, or of the bytes of a fixed number as a little-endian integer.
"""


@dataclass(slots=True)
class Budget:
    """How many fields several walks may read together.

    Attributes:
        left: fields that may still be read; negative once there were more.
    """

    left: int


def walk(contents: bytes, place: int, stop: int, budget: Budget) -> Iterator[Field]:
    """Yield the fields of a message in their order, those that stand several times as well.

    Args:
        contents: of the file.
        place: where the message starts.
        stop: where it ends.
        budget: for this walk and others.

    Raises:
        ValueError: no protobuf, a wire type that ONNX does not use, or more fields than the budget has.
    """
    while place < stop:
        budget.left -= 1
        if budget.left < 0:
            raise ValueError("there are too many fields")
        key = contents[place]
        place += 1
        if key & 0x87 == _BYTES and key > _BYTES and place < stop and (length := contents[place]) < 0x80:
            start = place + 1  # nearly every field: its key and its length are of one byte each
            place = start + length
            if place > stop:
                raise ValueError("a field ends behind its message")
            yield key >> 3, start, place
            continue
        if key >= 0x80:
            key, place = _varint(contents, place - 1, stop)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if wire == _VARINT:
            value, place = _varint(contents, place, stop)
            yield number, NUMBER, value
        elif wire == _BYTES:
            length, start = _varint(contents, place, stop)
            place = start + length
            if place > stop:
                raise ValueError("a field ends behind its message")
            yield number, start, place
        elif wire in (_FIXED64, _FIXED32):
            start = place
            place += 8 if wire == _FIXED64 else 4
            if place > stop:
                raise ValueError("a field ends behind its message")
            yield number, NUMBER, int.from_bytes(contents[start:place], "little")
        else:
            raise ValueError(f"a field has the wire type {wire}")


def _varint(contents: bytes, place: int, stop: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = 0
    for i in range(10):
        if place + i >= stop:
            raise ValueError("a number is cut off")
        byte = contents[place + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & (2**64 - 1), place + i + 1
    raise ValueError("a number has more than ten bytes")


def varints(contents: bytes, place: int, stop: int) -> Iterator[int]:
    """Numbers of a packed field.

    Raises:
        ValueError: one is cut off or too long.
    """
    while place < stop:
        value, place = _varint(contents, place, stop)
        yield value


def signed(value: int) -> int:
    """An int64 as its varint states it."""
    return value - 2**64 if value >= 2**63 else value
