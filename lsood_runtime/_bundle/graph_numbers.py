# SPDX-License-Identifier: Apache-2.0
"""Read the few numbers of attributes and small tensors of a serialised ONNX graph, which may be sizes of other tensors."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lsood_runtime._bundle.protobuf_fields import NUMBER, Budget, signed, varints, walk

_MOST_VALUES = 64
"""Values of a constant that can be the size of something: a tensor has few dimensions."""

_REPEATED = 128
"""Bytes of an attribute that is likely to stand in other nodes as well, at most."""

_NAME, _FLOAT, _INT, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 5, 7, 8  # of AttributeProto
_INNER = {6: "a graph", 11: "a graph", 22: "a sparse tensor", 23: "a sparse tensor"}
_DIMS, _DATA_TYPE, _FLOAT_DATA, _INT32_DATA, _INT64_DATA, _TENSOR_NAME, _RAW, _DOUBLE_DATA = 1, 2, 4, 5, 7, 8, 9, 10
_RAW_TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 11: "<f8"}


class NodeAttribute(NamedTuple):
    """An attribute of a node.

    ``numbers`` are those that it holds, of a small tensor as well. ``inner`` says in words what no attribute of an exported
    graph holds; None without such.
    """

    name: bytes
    numbers: tuple[float, ...]
    inner: str | None


@dataclass(frozen=True, slots=True)
class NumberReader:
    """Reads attributes and tensors of one model; an attribute that several nodes have alike is walked over once.

    Attributes:
        model: serialised.
        budget: for all of its messages.
    """

    model: bytes
    budget: Budget
    _seen: dict[bytes, NodeAttribute] = field(default_factory=dict)

    def attribute(self, start: int, stop: int) -> NodeAttribute:
        """Read an attribute from its places in the model.

        Raises:
            ValueError: no protobuf.
        """
        if stop - start > _REPEATED:
            return self._attribute(start, stop)
        contents = self.model[start:stop]
        found = self._seen.get(contents)
        if found is None:
            found = self._seen[contents] = self._attribute(start, stop)
        return found

    def tensor(self, start: int, stop: int) -> tuple[bytes, tuple[float, ...]]:
        """Read name and values of a tensor; none of one that has too many values to be a size, or is of another type.

        Raises:
            ValueError: no protobuf.
        """
        name, count, data_type, packed = b"", 1, 0, list[tuple[int, int, int]]()
        singles = list[float]()
        for number, place, end in walk(self.model, start, stop, self.budget):
            if number == _DIMS:
                for size in (end,) if place == NUMBER else varints(self.model, place, end):
                    count *= signed(size)
                    if not 0 <= count <= _MOST_VALUES:
                        return b"", ()
            elif number == _DATA_TYPE:
                data_type = end if place == NUMBER else 0
            elif number == _TENSOR_NAME and place != NUMBER:
                name = self.model[place:end]
            elif number in (_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _RAW, _DOUBLE_DATA):
                if place != NUMBER:
                    packed.append((number, place, end))
                elif number in (_INT32_DATA, _INT64_DATA) and len(singles) < _MOST_VALUES:
                    singles.append(signed(end))
        if data_type not in _RAW_TYPES:
            return name, ()
        for number, place, end in packed:
            singles += self._values(number, place, end, data_type)
        return name, tuple(singles)

    def _attribute(self, start: int, stop: int) -> NodeAttribute:
        name, found, inner = b"", list[float](), None
        for number, place, end in walk(self.model, start, stop, self.budget):
            if place == NUMBER:
                if number in (_INT, _INTS):
                    found.append(signed(end))
                elif number in (_FLOAT, _FLOATS):
                    found += np.frombuffer(end.to_bytes(8, "little")[:4], "<f4").tolist()
                elif number in _INNER:
                    raise ValueError("a message is a number")
            elif number == _NAME:
                name = self.model[place:end]
            elif number == _TENSOR:
                found += self.tensor(place, end)[1]
            elif number == _INTS:
                found += map(signed, varints(self.model, place, end))
            elif number == _FLOATS:
                found += np.frombuffer(self.model[place:end], "<f4").tolist()
            elif number in _INNER:
                inner = inner or _INNER[number]
        return NodeAttribute(name, tuple(found), inner)

    def _values(self, number: int, start: int, stop: int, data_type: int) -> list[float]:
        if number in (_INT32_DATA, _INT64_DATA):
            stop = min(stop, start + 10 * _MOST_VALUES)
            return [float(signed(value)) for value in varints(self.model, start, stop)]
        of = {_FLOAT_DATA: "<f4", _DOUBLE_DATA: "<f8"}.get(number, _RAW_TYPES[data_type])
        size = np.dtype(of).itemsize
        count = min((stop - start) // size, _MOST_VALUES)
        values: list[float] = np.frombuffer(self.model[start : start + count * size], of).tolist()
        return values
