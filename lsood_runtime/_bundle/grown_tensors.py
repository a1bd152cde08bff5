# SPDX-License-Identifier: Apache-2.0
"""Bound the tensors that nodes of a graph make out of nothing, where constants of the graph say how large they are.

``Expand`` to 2^40 elements is a node of a few bytes. Sizes that a graph computes, and tensors that grow step by step, are
not bounded here: that takes a limit of the process.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lsood_runtime._bundle.graph_numbers import NodeAttribute, NumberReader

MOST_ELEMENTS = 2**31
"""Elements of one tensor; of float32 they are eight gigabytes."""

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

_READ = _SIZES.keys() | _PADDED | {"Range"}

_MOST_OF_ONE_NAME = 64
"""Constants: a valid graph has one."""

_LONGEST = 4096
"""Bytes of an initializer of so few values at most, with its name; longer ones are not looked at."""


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    inputs: Sequence[bytes]
    attributes: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class GrownTensors:
    """Constants of a graph and nodes that may make large tensors of them, collected message by message."""

    constants: dict[bytes, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))
    nodes: list[_Node] = field(default_factory=list)

    def add_initializer(self, reader: NumberReader, start: int, stop: int) -> None:
        """Keep the values of an initializer of few numbers, from its places in the model.

        Raises:
            ValueError: no protobuf, or many constants of one name.
        """
        if stop - start <= _LONGEST:
            name, values = reader.tensor(start, stop)
            if values:
                self._keep(name, values)

    def add_node(
        self, kind: str, inputs: Sequence[bytes], outputs: Sequence[bytes], attributes: Sequence[NodeAttribute]
    ) -> None:
        """Keep a node that may make a large tensor, or the values of a constant.

        Raises:
            ValueError: many constants of one name.
        """
        if kind == "Constant":
            for attribute in attributes:
                self._keep(outputs[0] if outputs else b"", attribute.numbers)
        elif kind in _READ:
            numbers = {attribute.name.decode(): attribute.numbers for attribute in attributes}
            self.nodes.append(_Node(kind, inputs, numbers))

    def _keep(self, name: bytes, values: tuple[float, ...]) -> None:
        if len(self.constants[name]) == _MOST_OF_ONE_NAME:
            raise ValueError("many constants have one name")
        self.constants[name].append(values)

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
            firsts = ([value for values in self._of(node, place) for value in values[:1]] for place in range(3))
            yield from _range_sizes(*firsts)

    def _values_of(self, node: _Node, source: int | str) -> list[tuple[float, ...]]:
        return [node.attributes.get(source, ())] if isinstance(source, str) else self._of(node, source)

    def _of(self, node: _Node, place: int) -> list[tuple[float, ...]]:
        return self.constants.get(node.inputs[place], []) if place < len(node.inputs) else []


def _range_sizes(starts: Sequence[float], limits: Sequence[float], steps: Sequence[float]) -> Iterator[float]:
    """The largest results that a range may have, upwards and downwards, of all that its inputs may be."""
    if starts and limits and steps:
        yield 0.0 if all(map(math.isfinite, (*starts, *limits, *steps))) else math.inf
        for way in (1.0, -1.0):
            least = min((way * step for step in steps if way * step > 0), default=math.inf)
            yield (max(way * limit for limit in limits) - min(way * start for start in starts)) / least


def _product(values: tuple[float, ...]) -> float:
    """Of the values above 1: others, such as -1 for what is left and scales that shrink, do not make a tensor larger."""
    return math.prod(max(value, 1.0) for value in values)
