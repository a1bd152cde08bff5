# SPDX-License-Identifier: Apache-2.0
"""skl2onnx converters for the estimators that skl2onnx lacks. Importing this module registers them.

The squared distances are the centred product ``|x|^2 + |p|^2 - 2 x.p`` in float64: one matrix product in place of N x D
differences, and with the training mean taken off first it loses less than 1e-11 nats on entropies.
"""

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxCast,
    OnnxExp,
    OnnxLog,
    OnnxMatMul,
    OnnxMax,
    OnnxMul,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxSub,
)
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.proto import onnx_proto

from export.detectors import ExactKernelDensity


def _shape(operator: Any) -> None:
    kind = type(operator.inputs[0].type)
    if kind not in (DoubleTensorType, FloatTensorType):
        raise TypeError(f"expected a float32 or float64 input tensor, got {kind.__name__}")
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), 1])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Emit ``(B, D)`` rows to ``(B, 1)`` log-densities; float64 inside, the input's type outside."""
    estimator: ExactKernelDensity = operator.raw_operator
    options = {"op_version": container.target_opset}
    axis, one = np.array([1], np.int64), np.array([1], np.float64)
    bandwidth, (count, dimensions) = estimator.bandwidth_, estimator.points_.shape
    mean = estimator.points_.mean(axis=0)
    centred = estimator.points_ - mean
    constant = np.log(count) + dimensions / 2 * np.log(2 * np.pi * bandwidth**2)

    rows = OnnxCast(operator.inputs[0], to=onnx_proto.TensorProto.DOUBLE, **options)
    rows = OnnxSub(rows, mean[None], **options)
    own = OnnxReduceSum(OnnxMul(rows, rows, **options), axis, keepdims=1, **options)
    cross = OnnxMatMul(rows, -2 * centred.T, **options)
    squared = OnnxAdd(OnnxAdd(cross, (centred**2).sum(axis=1)[None], **options), own, **options)
    exponent = OnnxMul(OnnxMax(squared, 0 * one, **options), one / (-2 * bandwidth**2), **options)
    # The largest exponent goes out before exp: far from every point all of them underflow.
    largest = OnnxReduceMax(exponent, axis, keepdims=1, **options)
    total = OnnxReduceSum(OnnxExp(OnnxSub(exponent, largest, **options), **options), axis, keepdims=1, **options)
    log_density = OnnxSub(OnnxAdd(OnnxLog(total, **options), largest, **options), constant * one, **options)
    outside = operator.outputs[0].type
    to = onnx_proto.TensorProto.DOUBLE if isinstance(outside, DoubleTensorType) else onnx_proto.TensorProto.FLOAT
    OnnxCast(log_density, to=to, output_names=operator.outputs, **options).add_to(scope, container)


update_registered_converter(ExactKernelDensity, "LsoodExactKernelDensity", _shape, _convert)
