# SPDX-License-Identifier: Apache-2.0
"""skl2onnx converters for the estimators that skl2onnx lacks. Importing this module registers them.

Inputs are float32 or float64 tensors. Scores, distances and probabilities have the input's type, predicted classes are int64
or strings; between them everything is float64 (the operators: :mod:`export.detectors.onnx_operators`).

=========================  =============================================================================
estimator                  output
=========================  =============================================================================
every registered detector  ``score_samples``, see :data:`export.detectors.registry.DETECTORS`
KernelDensity              ``score_samples``, as the exact sum: scikit-learn's tree loses small densities
KDEClassifier              ``predict`` and ``predict_proba``
EmpiricalCovariance,       ``mahalanobis``: the squared distance
LedoitWolf, OAS,
ShrunkCovariance,
MinCovDet
=========================  =============================================================================
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxArgMax,
    OnnxCast,
    OnnxConcat,
    OnnxGather,
    OnnxMul,
    OnnxReduceSum,
    OnnxSoftmax,
    OnnxSub,
)
from skl2onnx.common._container import ModelComponentContainer
from skl2onnx.common._topology import Operator, Scope
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.proto import onnx_proto
from sklearn.covariance import OAS, EmpiricalCovariance, LedoitWolf, MinCovDet, ShrunkCovariance
from sklearn.neighbors import KernelDensity

from export.detectors.kde_classifier import KDEClassifier
from export.detectors.kernel_density import ExactKernelDensity
from export.detectors.onnx_operators import COLUMN, gaussian_log_density, product
from export.detectors.registry import DETECTORS, DetectorEstimator

_DOUBLE = onnx_proto.TensorProto.DOUBLE
_FLOAT = onnx_proto.TensorProto.FLOAT

Expression = Callable[[Any, OnnxOperator, int], OnnxOperator]
"""Estimator, ``(B, D)`` float64 rows and the opset to ``(B, 1)`` float64."""


def register_detector(estimator: type[DetectorEstimator]) -> None:
    """Register the converter of a detector's estimator with skl2onnx; registering again changes nothing."""
    _register(estimator, estimator.onnx_score)


def _register(estimator: type, expression: Expression) -> None:
    update_registered_converter(estimator, f"Lsood{estimator.__name__}", _shape, _converter(expression))


def _shape(operator: Operator) -> None:
    kind = _input_kind(operator)
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), 1])


def _input_kind(operator: Operator) -> type:
    kind = type(operator.inputs[0].type)
    if kind not in (DoubleTensorType, FloatTensorType):
        raise TypeError(
            f"expected a float32 or float64 input tensor, got {kind.__name__}: cast it before the estimator"
        )
    return kind


def _converter(expression: Expression) -> Callable[[Scope, Operator, ModelComponentContainer], None]:
    def convert(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
        opset = container.target_opset
        rows = OnnxCast(operator.inputs[0], to=_DOUBLE, op_version=opset)
        result = expression(operator.raw_operator, rows, opset)
        to = _DOUBLE if _input_kind(operator) is DoubleTensorType else _FLOAT
        OnnxCast(result, to=to, output_names=operator.outputs, op_version=opset).add_to(scope, container)

    return convert


def _library_density(estimator: KernelDensity, rows: OnnxOperator, opset: int) -> OnnxOperator:
    if estimator.kernel != "gaussian" or estimator.metric != "euclidean":
        raise NotImplementedError(
            f"expected a Gaussian kernel of Euclidean distances, got {estimator.kernel} of {estimator.metric}: "
            "fit one with the default kernel and metric"
        )
    if estimator.tree_.sample_weight is not None:
        raise NotImplementedError(
            "expected a density without sample weights, got one with them: fit it without sample_weight"
        )
    return gaussian_log_density(rows, np.asarray(estimator.tree_.data, np.float64), float(estimator.bandwidth_), opset)


def _mahalanobis_distance(estimator: EmpiricalCovariance, rows: OnnxOperator, opset: int) -> OnnxOperator:
    centred = OnnxSub(rows, np.asarray(estimator.location_, np.float64)[None], op_version=opset)
    transformed = product(centred, np.asarray(estimator.get_precision(), np.float64).T, opset)
    return OnnxReduceSum(OnnxMul(transformed, centred, op_version=opset), COLUMN, keepdims=1, op_version=opset)


def _classifier_shape(operator: Operator) -> None:
    kind, frames = _input_kind(operator), operator.inputs[0].get_first_dimension()
    classes = operator.raw_operator.classes_
    of_labels = Int64TensorType if np.issubdtype(classes.dtype, np.integer) else StringTensorType
    operator.outputs[0].type = of_labels([frames])
    operator.outputs[1].type = kind([frames, len(classes)])


def _convert_classifier(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
    opset = container.target_opset
    estimator: KDEClassifier = operator.raw_operator
    rows = OnnxCast(operator.inputs[0], to=_DOUBLE, op_version=opset)
    joint = OnnxConcat(*estimator.onnx_joint(rows, opset), axis=1, op_version=opset)
    to = _DOUBLE if _input_kind(operator) is DoubleTensorType else _FLOAT
    posterior = OnnxSoftmax(joint, axis=1, op_version=opset)
    OnnxCast(posterior, to=to, output_names=operator.outputs[1:], op_version=opset).add_to(scope, container)
    classes = estimator.classes_
    labels = classes.astype(np.int64) if np.issubdtype(classes.dtype, np.integer) else classes.astype(str)
    best = OnnxArgMax(joint, axis=1, keepdims=0, op_version=opset)
    OnnxGather(labels, best, output_names=operator.outputs[:1], op_version=opset).add_to(scope, container)


for _spec in DETECTORS.values():
    register_detector(type(_spec.build("likelihood")))
register_detector(ExactKernelDensity)
_register(KernelDensity, _library_density)
for _covariance in (EmpiricalCovariance, LedoitWolf, OAS, ShrunkCovariance, MinCovDet):
    _register(_covariance, _mahalanobis_distance)
update_registered_converter(KDEClassifier, "LsoodKDEClassifier", _classifier_shape, _convert_classifier)
