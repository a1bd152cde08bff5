# SPDX-License-Identifier: Apache-2.0
"""Bound the tensors that nodes of a graph make out of nothing, where constants of the graph say how large they are.

``Expand`` to 2^40 elements is a node of a few bytes. Sizes that a graph computes, and tensors that grow step by step, are
not bounded here: that takes a limit of the process.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from lsood_runtime._bundle.protobuf_fields import Budget, signed, varints, walk

MOST_ELEMENTS = 2**31
"""Elements of one tensor; of float32 they are eight gigabytes."""

_MOST_VALUES = 64
"""Values of a constant that can be the size of something: a tensor has few dimensions."""

_INPUT, _OUTPUT, _NAME, _TYPE, _ATTRIBUTE = 1, 2, 3, 4, 5  # of NodeProto
_OWN_NAME, _FLOAT, _INT, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 5, 7, 8  # of AttributeProto
_DIMS, _DATA_TYPE, _FLOAT_DATA, _INT32_DATA, _INT64_DATA, _TENSOR_NAME, _RAW, _DOUBLE_DATA = 1, 2, 4, 5, 7, 8, 9, 10
_RAW_TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 11: "<f8"}

_SIZES: Mapping[str, tuple[tuple[int | str, ...], ...]] = {
    "AffineGrid": ((1,),),
    "BlackmanWindow": ((0,),),
    "CenterCropPad": ((1,),),
    "Col2Im": ((1,),),
    "ConstantOfShape": ((0,),),
    "ConvTranspose": (("output_shape",), ("strides",)),
    "DFT": ((1,),),
    "Expand": ((1,),),
    "HammingWindow": ((0,),),
    "HannWindow": ((0,),),
    "MaxRoiPool": (("pooled_shape",),),
    "MaxUnpool": ((2,), ("kernel_shape",), ("strides",)),
    "MelWeightMatrix": ((0, 1),),
    "Multinomial": (("sample_size",),),
    "OneHot": ((1,),),
    "RandomNormal": (("shape",),),
    "RandomUniform": (("shape",),),
    "Resize": ((1,), (2,), (3,)),
    "RoiAlign": (("output_height", "output_width"),),
    "Tile": ((1,),),
    "Upsample": ((1,), ("scales",), ("width_scale", "height_scale")),
}
"""By operator the places of inputs and names of attributes whose product, group by group, its result grows with."""

_PADDED = {"AveragePool", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "LpPool", "MaxPool", "MaxUnpool", "Pad"}
_PADS, _MORE = ("pads", "paddings"), "output_padding"

READ_KINDS = _SIZES.keys() | _PADDED | {"Range", "Constant"}
"""Operators whose nodes have to be added."""

_LONGEST = 4096
"""Bytes of an initializer of so few values at most, with its name; longer ones are not looked at."""


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class GrownTensors:
    """Constants of a graph and nodes that may make large tensors of them, collected message by message."""

    constants: dict[str, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))
    nodes: list[_Node] = field(default_factory=list)

    def add_initializer(self, tensor: memoryview, budget: Budget) -> None:
        """Keep the values of an initializer of few numbers.

        Raises:
            ValueError: no protobuf.
        """
        if len(tensor) <= _LONGEST:
            name, values = _tensor(tensor, budget)
            if values:
                self.constants[name].append(values)

    def add_node(self, node: memoryview, budget: Budget) -> None:
        """Keep a node that may make a large tensor, or the values of a constant.

        Raises:
            ValueError: no protobuf.
        """
        kind, inputs, outputs, attributes = "", list[str](), list[str](), list[memoryview]()
        for part in walk(node, budget):
            if part.contents is None:
                continue
            if part.number in (_INPUT, _OUTPUT):
                (inputs if part.number == _INPUT else outputs).append(bytes(part.contents).decode())
            elif part.number == _TYPE:
                kind = bytes(part.contents[:200]).decode()
            elif part.number == _ATTRIBUTE:
                attributes.append(part.contents)
        if kind == "Constant":
            for attribute in attributes:
                self.constants[outputs[0] if outputs else ""].append(_attribute(attribute, budget)[1])
        elif kind in READ_KINDS:
            self.nodes.append(_Node(kind, tuple(inputs), dict(_attribute(each, budget) for each in attributes)))

    def faults(self) -> Iterator[str]:
        """Nodes whose tensors are too large, in words."""
        for node in self.nodes:
            elements = max(self._sizes(node), default=0.0)
            if not elements <= MOST_ELEMENTS:
                yield f"{node.kind} to {elements:.3g} elements, more than {MOST_ELEMENTS:,}"

    def _sizes(self, node: _Node) -> Iterator[float]:
        """The least number of elements of what a node makes, by each constant that states one."""
        for group in _SIZES.get(node.kind, ()):
            yield math.prod(max(map(_product, self._values_of(node, source)), default=1.0) for source in group)
        if node.kind in _PADDED:
            padded = [node.attributes.get(name, ()) for name in _PADS] + list(
                self._of(node, 1) if node.kind == "Pad" else ()
            )
            for pads in padded:
                half = len(pads) // 2
                yield _product(tuple(1 + a + b for a, b in zip(pads[:half], pads[half:], strict=False)))
                yield max(pads, default=0)
            yield _product(tuple(1 + value for value in node.attributes.get(_MORE, ())))
        if node.kind == "Range":
            for start in self._of(node, 0):
                for limit in self._of(node, 1):
                    for step in self._of(node, 2):
                        yield (limit[0] - start[0]) / step[0] if step[0] else 0.0

    def _values_of(self, node: _Node, source: int | str) -> list[tuple[float, ...]]:
        return [node.attributes.get(source, ())] if isinstance(source, str) else self._of(node, source)

    def _of(self, node: _Node, place: int) -> list[tuple[float, ...]]:
        return self.constants.get(node.inputs[place], []) if place < len(node.inputs) else []


def _product(values: tuple[float, ...]) -> float:
    """Of the values above 1: others, such as -1 for what is left and scales that shrink, do not make a tensor larger."""
    return math.prod(max(value, 1.0) for value in values)


def _attribute(attribute: memoryview, budget: Budget) -> tuple[str, tuple[float, ...]]:
    """Name and numbers of an attribute; none where it has no numbers."""
    name, found = "", list[float]()
    for part in walk(attribute, budget):
        if part.number == _OWN_NAME and part.contents is not None:
            name = bytes(part.contents[:200]).decode()
        elif part.number == _TENSOR and part.contents is not None:
            found += _tensor(part.contents, budget)[1]
        elif part.number in (_INT, _INTS) and part.contents is None:
            found.append(signed(part.value))
        elif part.number == _INTS and part.contents is not None:
            found += map(signed, varints(part.contents))
        elif part.number in (_FLOAT, _FLOATS):
            found += np.frombuffer(part.contents or part.value.to_bytes(8, "little")[:4], "<f4").tolist()
    return name, tuple(found)


def _tensor(tensor: memoryview, budget: Budget) -> tuple[str, tuple[float, ...]]:
    """Name and values of a tensor; none of one that is too long to be a size, or of another type."""
    name, dims, data_type, packed = "", list[int](), 0, dict[int, list[memoryview]]()
    singles = list[float]()
    for part in walk(tensor, budget):
        if part.number == _DIMS:
            dims += [signed(part.value)] if part.contents is None else map(signed, varints(part.contents))
        elif part.number == _DATA_TYPE:
            data_type = part.value
        elif part.number == _TENSOR_NAME and part.contents is not None:
            name = bytes(part.contents).decode()
        elif part.number in (_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _RAW, _DOUBLE_DATA):
            if part.contents is not None:
                packed.setdefault(part.number, []).append(part.contents)
            elif part.number in (_INT32_DATA, _INT64_DATA) and len(singles) < _MOST_VALUES:
                singles.append(signed(part.value))
    if data_type not in _RAW_TYPES or math.prod(dims) > _MOST_VALUES:
        return name, ()
    return name, tuple(singles) + tuple(
        value
        for number, parts in packed.items()
        for contents in parts
        for value in _values(number, contents, data_type)
    )


def _values(number: int, contents: memoryview, data_type: int) -> list[float]:
    if number in (_INT32_DATA, _INT64_DATA):
        return [float(signed(value)) for value in varints(contents[: 10 * _MOST_VALUES])]
    of = {_FLOAT_DATA: "<f4", _DOUBLE_DATA: "<f8"}.get(number, _RAW_TYPES[data_type])
    size = np.dtype(of).itemsize
    whole = min(len(contents) // size, _MOST_VALUES) * size
    values: list[float] = np.frombuffer(contents[:whole], of).tolist()
    return values
