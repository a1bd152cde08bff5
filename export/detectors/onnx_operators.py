# SPDX-License-Identifier: Apache-2.0
"""Distances and densities as ONNX operators of skl2onnx, shared by several detectors; everything is float64.

The squared distances to N points are the centred product ``|x|^2 + |p|^2 - 2 x.p``: one matrix product in place of N x D
differences. The mean of the points is subtracted first: far from the origin the product would lose digits without it
(docs/concepts/detectors.md has the bounds that the tests hold).
"""

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxCast,
    OnnxConstant,
    OnnxExp,
    OnnxLog,
    OnnxMatMul,
    OnnxMax,
    OnnxMul,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxReduceSumSquare,
    OnnxSub,
    OnnxTranspose,
)
from skl2onnx.proto import onnx_proto

COLUMN = np.array([1], np.int64)
"""The axis of a reduction over the columns."""


def scalar(value: float) -> NDArray[np.float64]:
    """A constant number."""
    return np.array([value], np.float64)


def bytes_constant(values: NDArray[np.int8] | NDArray[np.uint8], opset: int) -> OnnxOperator:
    """A constant of many bytes, as a node: an array would pass through skl2onnx as Python numbers, ten bytes for each."""
    return OnnxConstant(value=numpy_helper.from_array(np.ascontiguousarray(values)), op_version=opset)


def squared_norm(rows: OnnxOperator, opset: int) -> OnnxOperator:
    """Squared norm of each row: ``(B, D)`` to ``(B, 1)``."""
    return OnnxReduceSumSquare(rows, COLUMN, keepdims=1, op_version=opset)


def squared_distances(rows: OnnxOperator, points: NDArray[np.float64], opset: int) -> OnnxOperator:
    """Squared distances, at least 0, of ``(B, D)`` rows to ``(N, D)`` points: ``(B, N)``."""
    mean = points.mean(axis=0)
    centred = points - mean
    rows = OnnxSub(rows, mean[None], op_version=opset)
    cross = product(rows, -2 * centred, opset)
    squared = OnnxAdd(cross, (centred**2).sum(axis=1)[None], op_version=opset)
    squared = OnnxAdd(squared, squared_norm(rows, opset), op_version=opset)
    return OnnxMax(squared, scalar(0), op_version=opset)


def product(
    rows: OnnxOperator, matrix: NDArray[np.floating], opset: int, lengths: NDArray[np.float64] | None = None
) -> OnnxOperator:
    """Multiply ``(B, D)`` rows with the transpose of a ``(N, D)`` matrix, whose rows are multiplied with ``(N,)`` lengths.

    For one frame reading the matrix takes all the time, and ONNX Runtime reads it faster from the left
    (benchmarks/NOTES.md). A float32 matrix takes half the bytes in the file; ONNX Runtime casts a constant once, as it loads,
    and multiplies it with the lengths.
    """
    columns = OnnxTranspose(rows, perm=[1, 0], op_version=opset)
    left = np.ascontiguousarray(matrix)
    if left.dtype == np.float32:
        left = OnnxCast(left, to=onnx_proto.TensorProto.DOUBLE, op_version=opset)
    if lengths is not None:
        left = OnnxMul(left, lengths[:, None], op_version=opset)
    right = OnnxMatMul(left, columns, op_version=opset)
    return OnnxTranspose(right, perm=[1, 0], op_version=opset)


def gaussian_log_density(rows: OnnxOperator, points: NDArray[np.float64], bandwidth: float, opset: int) -> OnnxOperator:
    """Gaussian kernel density of ``(N, D)`` points at ``(B, D)`` rows: ``(B, 1)``, nats."""
    count, dimensions = points.shape
    constant = np.log(count) + dimensions / 2 * np.log(2 * np.pi * bandwidth**2)
    exponent = OnnxMul(squared_distances(rows, points, opset), scalar(-0.5 / bandwidth**2), op_version=opset)
    # The largest exponent is subtracted before exp: far from every point all of them underflow.
    largest = OnnxReduceMax(exponent, COLUMN, keepdims=1, op_version=opset)
    shares = OnnxExp(OnnxSub(exponent, largest, op_version=opset), op_version=opset)
    total = OnnxReduceSum(shares, COLUMN, keepdims=1, op_version=opset)
    log_sum = OnnxAdd(OnnxLog(total, op_version=opset), largest, op_version=opset)
    return OnnxSub(log_sum, scalar(constant), op_version=opset)
