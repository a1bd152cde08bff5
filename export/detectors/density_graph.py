# SPDX-License-Identifier: Apache-2.0
"""A compressed density as ONNX operators: coarse bytes of every point, then all bytes of the points that matter."""

import numpy as np
from numpy.typing import NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAbs,
    OnnxAdd,
    OnnxCast,
    OnnxConcat,
    OnnxDiv,
    OnnxExp,
    OnnxFloor,
    OnnxGather,
    OnnxLog,
    OnnxMatMul,
    OnnxMatMulInteger,
    OnnxMin,
    OnnxMul,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxReshape,
    OnnxRound,
    OnnxScatterElements,
    OnnxSlice,
    OnnxSub,
    OnnxTopK,
    OnnxTranspose,
    OnnxUnsqueeze,
)
from skl2onnx.proto import onnx_proto

from export.detectors.compressed_density import CompressedDensity
from export.detectors.onnx_operators import COLUMN, bytes_constant, scalar, squared_norm

_DOUBLE, _SINGLE = onnx_proto.TensorProto.DOUBLE, onnx_proto.TensorProto.FLOAT
_LAST = np.array([2], np.int64)
_ZERO = 128
_LARGEST_UNIT = 1e25
"""So that float32 holds the coarse terms of any row, in their order."""


def density_operators(density: CompressedDensity, rows: OnnxOperator, opset: int) -> OnnxOperator:
    """``density.log_density`` of ``(B, D)`` float64 rows, ``(B, 1)``.

    Args:
        density: fitted.
        rows: ``(B, D)`` float64.
        opset: of the operators.
    """
    variance, layout = density.bandwidth**2, density.layout
    codes = bytes_constant(density.codes.T, opset)
    centred = OnnxSub(rows, density.mean[None], op_version=opset)
    along = OnnxMul(_along(density, centred, opset), scalar(1 / variance), op_version=opset)
    offsets = density.offsets
    coarse = OnnxMul(_columns(along, 0, layout.coarse, COLUMN, opset), layout.coarse_steps[None], op_version=opset)
    terms = OnnxAdd(_coarse_products(density, codes, coarse, opset), offsets[None].astype(np.float32), op_version=opset)
    largest = OnnxTopK(terms, np.array([density.candidates], np.int64), axis=1, op_version=opset)
    places = largest[1]
    decoded = _decoded(density, codes, places, opset)
    weighted = OnnxMul(along, layout.steps[None], op_version=opset)
    products = OnnxMatMul(decoded, OnnxUnsqueeze(weighted, _LAST, op_version=opset), op_version=opset)
    fine = OnnxAdd(
        OnnxReduceSum(products, _LAST, keepdims=0, op_version=opset),
        OnnxGather(offsets, places, axis=0, op_version=opset),
        op_version=opset,
    )
    # Candidates leave the coarse sum by a term far below the others; a difference of sums would lose their digits.
    gone = OnnxSub(
        OnnxMul(largest[0], np.zeros(1, np.float32), op_version=opset), np.array([3e38], np.float32), op_version=opset
    )
    others = OnnxScatterElements(terms, places, gone, axis=1, op_version=opset)
    log_sum = _log_sum(fine, others, opset)
    distance = OnnxMul(squared_norm(centred, opset), scalar(0.5 / variance), op_version=opset)
    constant = np.log(density.weights.sum(dtype=np.float64)) + len(density.mean) / 2 * np.log(2 * np.pi * variance)
    return OnnxSub(OnnxSub(log_sum, distance, op_version=opset), scalar(constant), op_version=opset)


def _along(density: CompressedDensity, centred: OnnxOperator, opset: int) -> OnnxOperator:
    """Products ``(B, r)`` float64 with the directions; each number of a row takes three bytes."""
    digits, unit = _digits(centred, 3, opset)
    products = _byte_products(digits, bytes_constant(density.directions.T, opset), _DOUBLE, opset)
    places = np.array([256.0**2, 256.0, 1.0]).reshape(1, 3, 1)
    sums = OnnxReduceSum(OnnxMul(products, places, op_version=opset), COLUMN, keepdims=0, op_version=opset)
    return OnnxMul(OnnxMul(sums, density.units[None], op_version=opset), unit, op_version=opset)


def _coarse_products(density: CompressedDensity, codes: OnnxOperator, scaled: OnnxOperator, opset: int) -> OnnxOperator:
    """Products ``(B, M)`` float32 of ``(B, c)`` numbers with the coarse bytes; each number takes two bytes."""
    digits, unit = _digits(scaled, 2, opset)
    products = _byte_products(digits, codes, _SINGLE, opset)
    unit = OnnxCast(OnnxMin(unit, scalar(_LARGEST_UNIT), op_version=opset), to=_SINGLE, op_version=opset)
    places = OnnxMul(
        OnnxUnsqueeze(unit, COLUMN, op_version=opset),
        np.array([[[256.0, 1.0]]], np.float32),
        op_version=opset,
    )
    sums = OnnxMatMul(places, products, op_version=opset)
    return OnnxReshape(sums, np.array([-1, len(density.codes)], np.int64), op_version=opset)


def _digits(rows: OnnxOperator, count: int, opset: int) -> tuple[OnnxOperator, OnnxOperator]:
    """Rows ``(B, n)`` float64 as whole numbers of some bytes ``(B, count, n)``, highest first, and their unit ``(B, 1)``."""
    largest = OnnxReduceMax(OnnxAbs(rows, op_version=opset), COLUMN, keepdims=1, op_version=opset)
    scale = scalar(1 / (127 * 256.0 ** (count - 1)))
    unit = OnnxAdd(OnnxMul(largest, scale, op_version=opset), scalar(1e-300), op_version=opset)
    rest = OnnxRound(OnnxDiv(rows, unit, op_version=opset), op_version=opset)
    digits = []
    for _ in range(count - 1):  # from the last byte on, each in -128..127
        shifted = OnnxMul(OnnxAdd(rest, scalar(128), op_version=opset), scalar(1 / 256), op_version=opset)
        higher = OnnxFloor(shifted, op_version=opset)
        digits.append(OnnxSub(rest, OnnxMul(higher, scalar(256), op_version=opset), op_version=opset))
        rest = higher
    bytes_ = [OnnxUnsqueeze(byte, COLUMN, op_version=opset) for byte in (rest, *digits[::-1])]
    return OnnxConcat(*bytes_, axis=1, op_version=opset), unit


def _byte_products(digits: OnnxOperator, codes: OnnxOperator, kind: int, opset: int) -> OnnxOperator:
    """Exact products of bytes, ``(B, n, c)`` with ``(c, M)``."""
    query = OnnxCast(
        OnnxAdd(digits, scalar(_ZERO), op_version=opset), to=onnx_proto.TensorProto.UINT8, op_version=opset
    )
    return OnnxCast(
        OnnxMatMulInteger(query, codes, np.array(_ZERO, np.uint8), op_version=opset), to=kind, op_version=opset
    )


def _decoded(density: CompressedDensity, codes: OnnxOperator, places: OnnxOperator, opset: int) -> OnnxOperator:
    """Codes ``(B, K, r)`` float64 of some points, in steps."""
    layout = density.layout
    double, coarse = layout.count(16), layout.coarse
    parts = []
    if coarse:
        first = OnnxTranspose(OnnxGather(codes, places, axis=1, op_version=opset), perm=[1, 2, 0], op_version=opset)
        parts.append(OnnxCast(first, to=_DOUBLE, op_version=opset))
    fine = None
    if density.fine.shape[1]:
        fine = OnnxGather(bytes_constant(density.fine, opset), places, axis=0, op_version=opset)
        fine = OnnxCast(fine, to=_DOUBLE, op_version=opset)
    if double and fine is not None:
        scales = np.where(np.arange(coarse) < double, 256.0, 1.0)
        high = OnnxMul(parts.pop(), scales[None, None], op_version=opset)
        low = OnnxSub(_columns(fine, 0, double, _LAST, opset), scalar(128), op_version=opset)
        whole = OnnxAdd(_columns(high, 0, double, _LAST, opset), low, op_version=opset)
        parts.append(whole)
        if coarse > double:
            parts.append(_columns(high, double, coarse, _LAST, opset))
    for bits, directions, bytes_ in layout.spans():
        if directions.stop > directions.start and fine is not None:
            packed = _columns(fine, bytes_.start, bytes_.stop, _LAST, opset)
            fields = _unpacked(packed, bits, density.candidates, opset)
            fields = _columns(fields, 0, directions.stop - directions.start, _LAST, opset)
            parts.append(OnnxAdd(fields, scalar(0.5 - 2 ** (bits - 1)), op_version=opset))
    return parts[0] if len(parts) == 1 else OnnxConcat(*parts, axis=2, op_version=opset)


def _unpacked(packed: OnnxOperator, bits: int, kept: int, opset: int) -> OnnxOperator:
    """Numbers of so many bits ``(B, K, n)`` out of bytes that are float64."""
    shifts = 2.0 ** (-bits * np.arange(8 // bits))
    bytes_ = OnnxUnsqueeze(packed, np.array([3], np.int64), op_version=opset)
    shifted = OnnxFloor(OnnxMul(bytes_, shifts.reshape(1, 1, 1, -1), op_version=opset), op_version=opset)
    above = OnnxFloor(OnnxMul(shifted, scalar(2.0**-bits), op_version=opset), op_version=opset)
    fields = OnnxSub(shifted, OnnxMul(above, scalar(2.0**bits), op_version=opset), op_version=opset)
    return OnnxReshape(fields, np.array([0, kept, -1], np.int64), op_version=opset)


def _log_sum(fine: OnnxOperator, others: OnnxOperator, opset: int) -> OnnxOperator:
    """Logarithm ``(B, 1)`` of the sums of exponentials over both, ``(B, K)`` float64 and ``(B, M)`` float32."""
    near = OnnxReduceMax(fine, COLUMN, keepdims=1, op_version=opset)
    far = OnnxReduceMax(others, COLUMN, keepdims=1, op_version=opset)
    shares = OnnxExp(OnnxSub(others, far, op_version=opset), op_version=opset)
    rest = OnnxLog(
        OnnxCast(OnnxReduceSum(shares, COLUMN, keepdims=1, op_version=opset), to=_DOUBLE, op_version=opset),
        op_version=opset,
    )
    rest = OnnxAdd(rest, OnnxCast(far, to=_DOUBLE, op_version=opset), op_version=opset)
    shares = OnnxExp(OnnxSub(fine, near, op_version=opset), op_version=opset)
    sums = OnnxLog(OnnxReduceSum(shares, COLUMN, keepdims=1, op_version=opset), op_version=opset)
    both = OnnxConcat(OnnxAdd(sums, near, op_version=opset), rest, axis=1, op_version=opset)
    top = OnnxReduceMax(both, COLUMN, keepdims=1, op_version=opset)
    total = OnnxReduceSum(
        OnnxExp(OnnxSub(both, top, op_version=opset), op_version=opset), COLUMN, keepdims=1, op_version=opset
    )
    return OnnxAdd(OnnxLog(total, op_version=opset), top, op_version=opset)


def _columns(rows: OnnxOperator, start: int, stop: int, axis: NDArray[np.int64], opset: int) -> OnnxOperator:
    """Some columns along an axis."""
    return OnnxSlice(rows, np.array([start], np.int64), np.array([stop], np.int64), axis, op_version=opset)
