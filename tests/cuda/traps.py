# SPDX-License-Identifier: Apache-2.0
"""Small graphs that ONNX Runtime does not run on CUDA, each beside the nearest one that it does run there."""

from dataclasses import dataclass
from typing import Literal

import onnx.parser
from onnx import ModelProto


@dataclass(frozen=True)
class Trap:
    """A graph that CUDA does not run, and its neighbour.

    Attributes:
        bad: the graph's text.
        good: its neighbour's.
        reason: part of the reason that the table's check gives.
        bad_opset: the bad graph's opset; the good one's is 20.
        session: what becomes of the bad graph in a session: its node goes to the ``cpu``, to ``cuda`` like any other and is
            refused there later, or no session is made at all, ``none``.
    """

    bad: str
    good: str
    reason: str
    bad_opset: int = 20
    session: Literal["cpu", "cuda", "none"] = "cpu"


_CONV = "(float[1, 1, 3, 3] x, float[1, 1, 3, 3] w) => (float[1, 1, H, W] y)"
_FRAME = "(float[batch, 4, 6, 3] frame) => (float[batch, 8, 12, 3] y)"

TRAPS = {
    "no kernel": Trap(
        "(float[2, 3] a, float[2, 3] b) => (float[2, 3] y) { y = Mean(a, b) }",
        "(float[2, 3] a, float[2, 3] b) => (float[2, 3] y) { y = Sum(a, b) }",
        "no CUDA kernel",
    ),
    "no kernel of the type, though the operator has a body": Trap(
        "(int32[2, 3] x, int32 low) => (int32[2, 3] y) { y = Clip(x, low) }",
        "(float[2, 3] x, float low) => (float[2, 3] y) { y = Clip(x, low) }",
        "for T int32",
    ),
    "a schema newer than the kernel": Trap(
        "(float[1, 1, 4, 4] x) => (float[1, 1, 3, 3] y) { y = MaxPool<kernel_shape = [2, 2]>(x) }",
        "(float[1, 1, 4, 4] x) => (float[1, 1, 3, 3] y) { y = MaxPool<kernel_shape = [2, 2]>(x) }",
        "of version 22",
        bad_opset=22,
    ),
    "a body that nothing on the CPU stands in for": Trap(
        "(float[2, 3] x) => (float[2, 3] y) { y = Celu(x) }",
        "(float[2, 3] x) => (float[2, 3] y) { y = Bernoulli(x) }",
        "no CUDA kernel",
    ),
    "selection among bytes": Trap(
        "(bool[2, 3] c, int8[2, 3] a, int8[2, 3] b) => (int8[2, 3] y) { y = Where(c, a, b) }",
        "(bool[2, 3] c, uint8[2, 3] a, uint8[2, 3] b) => (uint8[2, 3] y) { y = Where(c, a, b) }",
        "for B bool, T int8",
    ),
    "classes from integers": Trap(
        "(int32[2, 5] x) => (int64[2] y) { y = ArgMax<axis = 1, keepdims = 0>(x) }",
        "(float[2, 5] x) => (int64[2] y) { y = ArgMax<axis = 1, keepdims = 0>(x) }",
        "for T int32",
    ),
    "the last of equal classes": Trap(
        "(float[2, 5] x) => (int64[2] y) { y = ArgMax<axis = 1, keepdims = 0, select_last_index = 1>(x) }",
        "(float[2, 5] x) => (int64[2] y) { y = ArgMax<axis = 1, keepdims = 0, select_last_index = 0>(x) }",
        "select_last_index",
    ),
    "unequal padding": Trap(
        _CONV + " { y = ConvTranspose<pads = [0, 0, 1, 1]>(x, w) }",
        _CONV + " { y = ConvTranspose<pads = [1, 1, 1, 1]>(x, w) }",
        "unequal padding",
    ),
    "padding by name": Trap(
        _CONV + ' { y = ConvTranspose<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w) }',
        _CONV + " { y = ConvTranspose<strides = [2, 2]>(x, w) }",
        "auto_pad",
    ),
    "interpolation with channels last": Trap(
        _FRAME + ' <float[4] s = {1, 2, 2, 1}> { y = Resize<mode = "linear">(frame, , s) }',
        _FRAME + " <float[4] s = {1, 1, 2, 2}>"
        " { x = Transpose<perm = [0, 3, 1, 2]>(frame)"
        '   z = Resize<mode = "linear">(x, , s)'
        "   y = Transpose<perm = [0, 2, 3, 1]>(z) }",
        "outermost",
        session="cuda",
    ),
    "cubic interpolation of a volume": Trap(
        "(float[1, 1, 2, 4, 6] x) => (float[1, 1, 2, 8, 12] y) <float[5] s = {1, 1, 1, 2, 2}>"
        ' { y = Resize<mode = "cubic">(x, , s) }',
        "(float[1, 1, 2, 4, 6] x) => (float[1, 1, 2, 8, 12] y) <float[5] s = {1, 1, 1, 2, 2}>"
        ' { y = Resize<mode = "linear">(x, , s) }',
        "cubic interpolation of rank 5",
        session="none",
    ),
    "a branch": Trap(
        "(bool c, float[2] a, float[2] b) => (float[2] y)"
        " { y = If(c) <then_branch = yes () => (float[2] p) { p = Neg(a) },"
        "              else_branch = no () => (float[2] q) { q = Neg(b) }> }",
        "(bool c, float[2] a, float[2] b) => (float[2] y) { z = Where(c, a, b) y = Neg(z) }",
        "control flow",
        session="cuda",
    ),
}


def graph(text: str, opset: int = 20) -> ModelProto:
    """Parse the text of a graph."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> trap {text}')
    onnx.checker.check_model(model)
    return model
