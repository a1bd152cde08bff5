# SPDX-License-Identifier: Apache-2.0
"""Mahalanobis distance with a shrunk covariance, which exists with fewer frames than dimensions too."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxNeg, OnnxSub
from sklearn.base import BaseEstimator
from sklearn.covariance import LedoitWolf
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.onnx_operators import product, squared_norm


class MahalanobisDetector(BaseEstimator):  # type: ignore[misc]
    """Squared Mahalanobis distance under a Ledoit-Wolf covariance (Ledoit and Wolf 2004), as LaREM scores.

    Attributes:
        location_: ``(D,)`` float64, mean of the training rows.
        whitening_: ``(D, D)`` float64, W with ``W W^T`` the inverse covariance.
        shrinkage_: share of the scaled identity in the covariance, in [0, 1].
        log_determinant_: of the covariance.
        n_features_in_: D.
    """

    def fit(self, X: ArrayLike, y: None = None) -> Self:  # noqa: ARG002
        """Estimate mean and covariance of ``X``, ``(N, D)``; N may be below D.

        Raises:
            ValueError: fewer than two rows, or rows that all coincide.
        """
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        estimate = LedoitWolf().fit(rows)
        values, vectors = np.linalg.eigh(estimate.covariance_)
        if not values[-1] > 0:
            raise ValueError(f"expected rows that differ, got {len(rows)} identical ones: no covariance fits them")
        # A direction without any spread, which no shrinkage has widened, would give infinite distances.
        values = np.maximum(values, values[-1] * np.finfo(np.float64).eps * len(values))
        self.location_: NDArray[np.float64] = estimate.location_
        self.whitening_: NDArray[np.float64] = vectors / np.sqrt(values)
        self.shrinkage_ = float(estimate.shrinkage_)
        self.log_determinant_ = float(np.log(values).sum())
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the squared distance of each row of ``X``, ``(M, D)``; ``(M,)`` float64, at most 0; higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        whitened = (rows - self.location_) @ self.whitening_
        result: NDArray[np.float64] = -(whitened**2).sum(axis=1)
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        whitened = product(OnnxSub(rows, self.location_[None], op_version=opset), self.whitening_.T, opset)
        return OnnxNeg(squared_norm(whitened, opset), op_version=opset)

    def log_likelihood(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-density of each row under the Gaussian, nats."""
        squared = -self.score_samples(X)
        result: NDArray[np.float64] = -(squared + self.log_determinant_ + len(self.location_) * np.log(2 * np.pi)) / 2
        return result
