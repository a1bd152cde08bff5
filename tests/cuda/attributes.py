# SPDX-License-Identifier: Apache-2.0
"""What a table of kernels cannot know: nodes that have a CUDA kernel and that CUDA still declines, or fails to run."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TypeProto, helper

_RANKS = {"linear": (2, 3, 4, 5), "cubic": (2, 4)}


def attribute_traps(
    node: NodeProto, types: Mapping[str, TypeProto], constants: Mapping[str, NDArray[Any]]
) -> Iterator[str]:
    """The reasons why CUDA would not run this node whatever its types.

    Args:
        node: of ONNX's own operators.
        types: of the graph's values, by name.
        constants: its initialisers, by name.
    """
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if any(attribute.type in (attribute.GRAPH, attribute.GRAPHS) for attribute in node.attribute):
        yield "control flow, which CUDA graphs refuse"
    if node.op_type in ("ArgMax", "ArgMin") and attributes.get("select_last_index"):
        yield "select_last_index is left to the CPU"
    if node.op_type == "ConvTranspose":
        pads = attributes.get("pads", [])
        if pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
            yield "unequal padding is left to the CPU"
        if attributes.get("auto_pad") in (b"SAME_UPPER", b"SAME_LOWER"):
            yield "auto_pad is left to the CPU"
    if node.op_type == "Resize" and (mode := attributes.get("mode", b"nearest").decode()) != "nearest":
        rank = len(_shape(types[node.input[0]]))
        if rank not in _RANKS[mode]:
            yield f"{mode} interpolation of rank {rank}"
        elif rank >= 4 and not _keeps_outermost(node, attributes.get("axes", range(rank)), types, constants):
            yield f"{mode} interpolation that is not known to keep the two outermost dimensions"


def _keeps_outermost(
    node: NodeProto, axes: list[int] | range, types: Mapping[str, TypeProto], constants: Mapping[str, NDArray[Any]]
) -> bool:
    """Channels-last frames are placed on CUDA like others; interpolating them fails when it runs."""
    before, after = _shape(types[node.input[0]]), _shape(types[node.output[0]])
    scales = constants.get(node.input[2]) if len(node.input) > 2 else None
    if scales is not None and scales.size:
        outermost = [scale for axis, scale in zip(axes, scales, strict=True) if axis % len(before) < 2]
        return bool(np.all(np.equal(outermost, 1)))
    return before[:2] == after[:2] and None not in before[:2]


def _shape(kind: TypeProto) -> list[int | str | None]:
    """Sizes and the names of free dimensions; None where neither is known."""
    return [size.dim_value or size.dim_param or None for size in kind.tensor_type.shape.dim]
