# SPDX-License-Identifier: Apache-2.0
"""Mahalanobis distance with a shrunk covariance, which exists with fewer frames than dimensions too.

Up to 512 dimensions the covariance is kept whole. Above, its leading directions are kept and all others share their mean
eigenvalue, as in probabilistic principal components (Tipping and Bishop 1999): D x D numbers would be 128 MB at D = 4,096.
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxMul, OnnxNeg, OnnxSub
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.leading_directions import covariance, leading_directions
from export.detectors.onnx_operators import product, scalar, squared_norm
from export.detectors.rounding import RESOLUTION
from export.features.rows import RowBlocks

EXACT_DIMENSIONS = 512
DIRECTIONS = 128


class MahalanobisDetector(BaseEstimator):  # type: ignore[misc]
    """Squared Mahalanobis distance under a Ledoit-Wolf covariance (Ledoit and Wolf 2004), as LaREM scores.

    ``sum_k w_k (v_k . c)^2 + |c|^2 / rest`` for a centred row c, with ``w_k = 1 / value_k - 1 / rest``; the second term is
    only of rows that are wider than ``exact_dimensions``.

    Args:
        exact_dimensions: rows of at most so many columns keep all directions.
        directions: number of directions that wider rows keep.

    Attributes:
        location_: ``(D,)`` float64, mean of the training rows.
        directions_: ``(r, D)`` directions of the covariance, rows of unit length: float64, or float32 of wide rows.
        weights_: ``(r,)`` float64: w.
        rest_precision_: inverse of the eigenvalue that all other directions share; 0 where there are none.
        shrinkage_: share of the scaled identity in the covariance, in [0, 1].
        log_determinant_: of the covariance.
        n_features_in_: D.
    """

    def __init__(self, exact_dimensions: int = EXACT_DIMENSIONS, directions: int = DIRECTIONS) -> None:
        self.exact_dimensions = exact_dimensions
        self.directions = directions

    def fit(self, X: ArrayLike | RowBlocks, y: None = None) -> Self:  # noqa: ARG002
        """Estimate mean and covariance of ``X``, ``(N, D)``, read block by block; N may be below D.

        Raises:
            ValueError: fewer than two rows, or rows that all coincide.
        """
        rows = RowBlocks.of(
            X if isinstance(X, RowBlocks) else validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        )
        self.n_features_in_ = rows.shape[1]
        first = rows[:1]
        if all((block == first).all() for block in rows):
            raise ValueError(
                f"expected rows that differ, got {len(rows)} identical ones: leave this feature out, or look at the frames"
            )
        if rows.shape[1] <= self.exact_dimensions:
            self._fit_whole(rows)
        else:
            self._fit_leading(rows)
        return self

    def _fit_whole(self, rows: RowBlocks) -> None:
        location, matrix = covariance(rows)
        trace, squares = float(np.trace(matrix)), float((matrix**2).sum())
        self.shrinkage_ = _shrinkage(rows, location, trace, squares)
        matrix *= 1 - self.shrinkage_
        matrix.flat[:: len(matrix) + 1] += self.shrinkage_ * trace / len(matrix)
        values, vectors = np.linalg.eigh(matrix)
        # A direction without any spread, which no shrinkage has widened, would give infinite distances; one whose spread is
        # that of float32's rounding would give other distances in another runtime.
        rounding = (RESOLUTION * location) ** 2 @ vectors**2
        values = np.maximum(values, np.maximum(rounding, values[-1] * np.finfo(np.float64).eps * len(values)))
        self.location_: NDArray[np.float64] = location
        self.directions_: NDArray[np.floating] = np.ascontiguousarray(vectors.T)
        self.weights_: NDArray[np.float64] = 1 / values
        self.rest_precision_ = 0.0
        self.log_determinant_ = float(np.log(values).sum())

    def _fit_leading(self, rows: RowBlocks) -> None:
        dimensions = rows.shape[1]
        spectrum = leading_directions(rows, min(self.directions, dimensions - 1))
        self.shrinkage_ = _shrinkage(rows, spectrum.mean, spectrum.trace, spectrum.squares)
        mean_value, others = spectrum.trace / dimensions, dimensions - len(spectrum.values)
        values = (1 - self.shrinkage_) * spectrum.values + self.shrinkage_ * mean_value
        unexplained = max(spectrum.trace - spectrum.values.sum(), 0.0)
        rest = (1 - self.shrinkage_) * unexplained / others + self.shrinkage_ * mean_value
        rest = max(rest, max(values, default=rest) * np.finfo(np.float64).eps * dimensions)
        self.location_ = spectrum.mean
        self.directions_ = spectrum.directions.astype(np.float32)
        self.weights_ = 1 / np.maximum(values, rest) - 1 / rest
        self.rest_precision_ = float(1 / rest)
        self.log_determinant_ = float(np.log(np.maximum(values, rest)).sum() + others * np.log(rest))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the squared distance of each row of ``X``, ``(M, D)``; ``(M,)`` float64, at most 0; higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        centred = rows - self.location_
        squared = ((centred @ self.directions_.T.astype(np.float64)) ** 2) @ self.weights_
        if self.rest_precision_:
            squared += self.rest_precision_ * (centred**2).sum(axis=1)
        result: NDArray[np.float64] = -squared
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        centred = OnnxSub(rows, self.location_[None], op_version=opset)
        # Weights are of one sign: all above 0 of a whole covariance, at most 0 of leading directions. Their roots lie in the
        # matrix, which ONNX Runtime multiplies out as it loads.
        along = product(centred, self.directions_, opset, lengths=np.sqrt(np.abs(self.weights_)))
        squared = squared_norm(along, opset)
        if self.rest_precision_:
            rest = OnnxMul(squared_norm(centred, opset), scalar(self.rest_precision_), op_version=opset)
            squared = OnnxSub(rest, squared, op_version=opset)
        return OnnxNeg(squared, op_version=opset)


def _shrinkage(rows: RowBlocks, mean: NDArray[np.float64], trace: float, squares: float) -> float:
    """Ledoit and Wolf's share of the scaled identity, from sums of the spectrum; scikit-learn's would form D x D."""
    count, dimensions = rows.shape
    fourth = sum(float((((block - mean) ** 2).sum(axis=1) ** 2).sum()) for block in rows) / count
    distance = squares - trace**2 / dimensions
    error = (fourth - squares) / count
    return float(min(max(error, 0.0), distance) / distance) if distance > 0 else 0.0
