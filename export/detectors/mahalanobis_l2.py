# SPDX-License-Identifier: Apache-2.0
"""Mahalanobis distance of directions: Mahalanobis++ (Mueller and Hein 2025, arXiv 2505.18032)."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxDiv, OnnxSqrt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.mahalanobis import DIRECTIONS, EXACT_DIMENSIONS, MahalanobisDetector
from export.detectors.onnx_operators import scalar, squared_norm
from export.features.rows import RowBlocks

SMALLEST = 1e-24
"""Added to squared norms, so that a row of zeros has a direction: none."""


class NormalisedMahalanobisDetector(BaseEstimator):  # type: ignore[misc]
    """Squared Mahalanobis distance of rows that are divided by their Euclidean norm first.

    The norm of a feature varies more than its direction does, and not as a Gaussian (Mahalanobis++).

    Args:
        exact_dimensions: as for :class:`~export.detectors.mahalanobis.MahalanobisDetector`.
        directions: as there.

    Attributes:
        gaussian_: of the normalised training rows.
        shrinkage_: its own.
        n_features_in_: D.
    """

    def __init__(self, exact_dimensions: int = EXACT_DIMENSIONS, directions: int = DIRECTIONS) -> None:
        self.exact_dimensions = exact_dimensions
        self.directions = directions

    def fit(self, X: ArrayLike | RowBlocks, y: None = None) -> Self:  # noqa: ARG002
        """Estimate mean and covariance of the directions of ``X``, ``(N, D)``, D of at least 2.

        Raises:
            ValueError: fewer than two rows, one column, or rows that all have one direction.
        """
        rows = RowBlocks.of(
            X if isinstance(X, RowBlocks) else validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        )
        self.n_features_in_ = rows.shape[1]
        if rows.shape[1] < 2:
            raise ValueError("expected rows of two or more dimensions, got n_features = 1: a number has no direction")
        self.gaussian_ = MahalanobisDetector(self.exact_dimensions, self.directions).fit(rows.changed(_directions))
        self.shrinkage_ = self.gaussian_.shrinkage_
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the squared distance of each row's direction; ``(M,)`` float64, at most 0; higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        return self.gaussian_.score_samples(_directions(rows))

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        norm = OnnxSqrt(OnnxAdd(squared_norm(rows, opset), scalar(SMALLEST), op_version=opset), op_version=opset)
        return self.gaussian_.onnx_score(OnnxDiv(rows, norm, op_version=opset), opset)


def _directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    directions: NDArray[np.float64] = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True) + SMALLEST)
    return directions
