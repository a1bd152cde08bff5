# SPDX-License-Identifier: Apache-2.0
"""Walk over the fields of a protobuf message without a copy; the runtime does without the package ``onnx``."""

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message: its number, and its bytes where it holds any (a message, a text), else None.

    ``value`` is that of a varint, or of a fixed number's bytes as a little-endian integer, 0 for others.
    """

    number: int
    contents: memoryview | None
    value: int = 0


Budget = Iterator[int]
"""Ends when enough fields were read: ``iter(range(1000))`` lets several walks read 1,000 together."""


def walk(message: memoryview, budget: Budget) -> Iterator[Field]:
    """Yield the fields of a message in their order, those that stand several times as well.

    Raises:
        ValueError: no protobuf, a wire type that ONNX does not use, or more fields than the budget has.
    """
    place, end = 0, len(message)
    while place < end:
        if next(budget, None) is None:
            raise ValueError("there are too many fields")
        key = message[place]
        if key < 0x80:  # most numbers are of one byte
            place += 1
        else:
            key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        contents: memoryview | None = None
        value = 0
        if number == 0:
            raise ValueError("a field has the number 0")
        if wire == _VARINT:
            value, place = _varint(message, place)
        elif wire == _BYTES:
            if place < end and message[place] < 0x80:
                length, place = message[place], place + 1
            else:
                length, place = _varint(message, place)
            contents = message[place : place + length]
            place += length
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value = int.from_bytes(message[place : place + size], "little")
            place += size
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if place > end:
            raise ValueError("a field ends behind its message")
        yield Field(number, contents, value)


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = 0
    for i in range(10):
        if place + i >= len(message):
            raise ValueError("a number is cut off")
        byte = message[place + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & (2**64 - 1), place + i + 1
    raise ValueError("a number has more than ten bytes")


def varints(packed: memoryview) -> Iterator[int]:
    """Numbers of a packed field.

    Raises:
        ValueError: one is cut off or too long.
    """
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def signed(value: int) -> int:
    """An int64 as its varint states it."""
    return value - 2**64 if value >= 2**63 else value
