# SPDX-License-Identifier: Apache-2.0
"""skl2onnx converters for the estimators that skl2onnx lacks. Importing this module registers them.

Inputs are float32 or float64 tensors, outputs have the input's type; between them everything is float64. The squared
distances to N points are the centred product ``|x|^2 + |p|^2 - 2 x.p``: one matrix product in place of N x D differences, and
with the mean of the points taken off first it loses less than 1e-11 nats on entropies (docs/converters.md).

=========================  =============================================================================
estimator                  output
=========================  =============================================================================
KernelDensity              ``score_samples``, as the exact sum: scikit-learn's tree errs far off (docs/density.md)
ExactKernelDensity         ``score_samples``
MahalanobisDetector        ``score_samples``
NearestNeighborDetector    ``score_samples``
KDELogOdds                 ``score_samples``
KDEClassifier              ``predict`` and ``predict_proba``
EmpiricalCovariance,       ``mahalanobis``: the squared distance
LedoitWolf, OAS, ...
=========================  =============================================================================
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxArgMax,
    OnnxCast,
    OnnxConcat,
    OnnxExp,
    OnnxGather,
    OnnxLog,
    OnnxMatMul,
    OnnxMax,
    OnnxMul,
    OnnxNeg,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxSlice,
    OnnxSoftmax,
    OnnxSqrt,
    OnnxSub,
    OnnxTopK,
    OnnxTranspose,
)
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.proto import onnx_proto
from sklearn.covariance import OAS, EmpiricalCovariance, LedoitWolf, MinCovDet, ShrunkCovariance
from sklearn.neighbors import KernelDensity

from export.detectors.kde_classifier import KDEClassifier, KDELogOdds
from export.detectors.kernel_density import ExactKernelDensity
from export.detectors.mahalanobis import MahalanobisDetector
from export.detectors.nearest_neighbors import NearestNeighborDetector

_COLUMN = np.array([1], np.int64)
_DOUBLE = onnx_proto.TensorProto.DOUBLE
_FLOAT = onnx_proto.TensorProto.FLOAT

Expression = Callable[[Any, Any, dict[str, Any]], Any]
"""Estimator, ``(B, D)`` float64 rows and the operators' options to ``(B, 1)`` float64."""


def _shape(operator: Any) -> None:
    kind = _input_kind(operator)
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), 1])


def _input_kind(operator: Any) -> type:
    kind = type(operator.inputs[0].type)
    if kind not in (DoubleTensorType, FloatTensorType):
        raise TypeError(f"expected a float32 or float64 input tensor, got {kind.__name__}")
    return kind


def _converter(expression: Expression) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        options = {"op_version": container.target_opset}
        rows = OnnxCast(operator.inputs[0], to=_DOUBLE, **options)
        result = expression(operator.raw_operator, rows, options)
        to = _DOUBLE if _input_kind(operator) is DoubleTensorType else _FLOAT
        OnnxCast(result, to=to, output_names=operator.outputs, **options).add_to(scope, container)

    return convert


def _scalar(value: float) -> NDArray[np.float64]:
    return np.array([value], np.float64)


def _squared_distances(rows: Any, points: NDArray[np.float64], options: dict[str, Any]) -> Any:
    """``(B, D)`` rows and ``(N, D)`` points to ``(B, N)``, at least 0."""
    mean = points.mean(axis=0)
    centred = points - mean
    rows = OnnxSub(rows, mean[None], **options)
    own = OnnxReduceSum(OnnxMul(rows, rows, **options), _COLUMN, keepdims=1, **options)
    cross = _product(rows, -2 * centred, options)
    squared = OnnxAdd(OnnxAdd(cross, (centred**2).sum(axis=1)[None], **options), own, **options)
    return OnnxMax(squared, _scalar(0), **options)


def _product(rows: Any, matrix: NDArray[np.float64], options: dict[str, Any]) -> Any:
    """``(B, D)`` rows times the transpose of a ``(N, D)`` matrix.

    For one frame the matrix's way through memory is all that counts, and ONNX Runtime reads it faster from the left
    (benchmarks/NOTES.md).
    """
    columns = OnnxTranspose(rows, perm=[1, 0], **options)
    return OnnxTranspose(OnnxMatMul(np.ascontiguousarray(matrix), columns, **options), perm=[1, 0], **options)


def _log_density(points: NDArray[np.float64], bandwidth: float, rows: Any, options: dict[str, Any]) -> Any:
    """Gaussian kernel density at ``(B, D)`` rows: ``(B, 1)``, nats."""
    count, dimensions = points.shape
    constant = np.log(count) + dimensions / 2 * np.log(2 * np.pi * bandwidth**2)
    exponent = OnnxMul(_squared_distances(rows, points, options), _scalar(-0.5 / bandwidth**2), **options)
    # The largest exponent goes out before exp: far from every point all of them underflow.
    largest = OnnxReduceMax(exponent, _COLUMN, keepdims=1, **options)
    total = OnnxReduceSum(OnnxExp(OnnxSub(exponent, largest, **options), **options), _COLUMN, keepdims=1, **options)
    return OnnxSub(OnnxAdd(OnnxLog(total, **options), largest, **options), _scalar(constant), **options)


def _exact_density(estimator: ExactKernelDensity, rows: Any, options: dict[str, Any]) -> Any:
    return _log_density(estimator.points_, estimator.bandwidth_, rows, options)


def _library_density(estimator: KernelDensity, rows: Any, options: dict[str, Any]) -> Any:
    if estimator.kernel != "gaussian" or estimator.metric != "euclidean":
        raise NotImplementedError(
            f"expected a Gaussian kernel of Euclidean distances, got {estimator.kernel} of {estimator.metric}"
        )
    if estimator.tree_.sample_weight is not None:
        raise NotImplementedError("expected a density without sample weights")
    return _log_density(np.asarray(estimator.tree_.data, np.float64), float(estimator.bandwidth_), rows, options)


def _log_odds(estimator: KDELogOdds, rows: Any, options: dict[str, Any]) -> Any:
    joint = _joint_densities(estimator.classifier_, rows, options)
    return OnnxSub(joint[0], joint[1], **options)


def _joint_densities(classifier: KDEClassifier, rows: Any, options: dict[str, Any]) -> list[Any]:
    """For each class ``(B, 1)``: log-density and log-prior."""
    pairs = zip(classifier.densities_, classifier.log_priors_, strict=True)
    return [OnnxAdd(_exact_density(density, rows, options), _scalar(prior), **options) for density, prior in pairs]


def _mahalanobis_score(estimator: MahalanobisDetector, rows: Any, options: dict[str, Any]) -> Any:
    whitened = _product(OnnxSub(rows, estimator.location_[None], **options), estimator.whitening_.T, options)
    squared = OnnxReduceSum(OnnxMul(whitened, whitened, **options), _COLUMN, keepdims=1, **options)
    return OnnxNeg(squared, **options)


def _mahalanobis_distance(estimator: EmpiricalCovariance, rows: Any, options: dict[str, Any]) -> Any:
    centred = OnnxSub(rows, np.asarray(estimator.location_, np.float64)[None], **options)
    product = _product(centred, np.asarray(estimator.get_precision(), np.float64).T, options)
    return OnnxReduceSum(OnnxMul(product, centred, **options), _COLUMN, keepdims=1, **options)


def _neighbor_score(estimator: NearestNeighborDetector, rows: Any, options: dict[str, Any]) -> Any:
    k = estimator.n_neighbors
    nearest = OnnxTopK(
        _squared_distances(rows, estimator.points_, options), np.array([k], np.int64), axis=1, largest=0, **options
    )
    kth = OnnxSlice(nearest[0], np.array([k - 1], np.int64), np.array([k], np.int64), _COLUMN, **options)
    return OnnxNeg(OnnxSqrt(kth, **options), **options)


def _classifier_shape(operator: Any) -> None:
    kind, frames = _input_kind(operator), operator.inputs[0].get_first_dimension()
    classes = operator.raw_operator.classes_
    of_labels = Int64TensorType if np.issubdtype(classes.dtype, np.integer) else StringTensorType
    operator.outputs[0].type = of_labels([frames])
    operator.outputs[1].type = kind([frames, len(classes)])


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    options = {"op_version": container.target_opset}
    estimator: KDEClassifier = operator.raw_operator
    rows = OnnxCast(operator.inputs[0], to=_DOUBLE, **options)
    joint = OnnxConcat(*_joint_densities(estimator, rows, options), axis=1, **options)
    to = _DOUBLE if _input_kind(operator) is DoubleTensorType else _FLOAT
    OnnxCast(OnnxSoftmax(joint, axis=1, **options), to=to, output_names=operator.outputs[1:], **options).add_to(
        scope, container
    )
    classes = estimator.classes_
    labels = classes.astype(np.int64) if np.issubdtype(classes.dtype, np.integer) else classes.astype(str)
    best = OnnxArgMax(joint, axis=1, keepdims=0, **options)
    OnnxGather(labels, best, output_names=operator.outputs[:1], **options).add_to(scope, container)


for _estimator, _expression in (
    (ExactKernelDensity, _exact_density),
    (KernelDensity, _library_density),
    (KDELogOdds, _log_odds),
    (MahalanobisDetector, _mahalanobis_score),
    (NearestNeighborDetector, _neighbor_score),
    (EmpiricalCovariance, _mahalanobis_distance),
    (LedoitWolf, _mahalanobis_distance),
    (OAS, _mahalanobis_distance),
    (ShrunkCovariance, _mahalanobis_distance),
    (MinCovDet, _mahalanobis_distance),
):
    update_registered_converter(_estimator, f"Lsood{_estimator.__name__}", _shape, _converter(_expression))
update_registered_converter(KDEClassifier, "LsoodKDEClassifier", _classifier_shape, _convert_classifier)
