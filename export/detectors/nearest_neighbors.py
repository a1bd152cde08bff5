# SPDX-License-Identifier: Apache-2.0
"""Distance to the nearest in-distribution frames."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxNeg, OnnxSlice, OnnxSqrt, OnnxTopK
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.onnx_operators import COLUMN, squared_distances

_BLOCK = 256


class NearestNeighborDetector(BaseEstimator):  # type: ignore[misc]
    """Euclidean distance to the k-th nearest training row (Sun et al. 2022, without their normalisation).

    Args:
        n_neighbors: k; a training row that is scored counts itself.

    Attributes:
        points_: ``(N, D)`` float64, the training rows.
        n_features_in_: D.
    """

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: ArrayLike, y: None = None) -> Self:  # noqa: ARG002
        """Keep the rows of ``X``, ``(N, D)``.

        Raises:
            ValueError: fewer rows than neighbours.
        """
        points: NDArray[np.float64] = validate_data(self, X, dtype=np.float64)
        if not 1 <= self.n_neighbors <= len(points):
            raise ValueError(
                f"expected 1 to n_samples = {len(points)} neighbours, got {self.n_neighbors}: fit more rows"
            )
        self.points_ = points
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the distance of each row of ``X``, ``(M, D)``; ``(M,)`` float64, at most 0; higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        k = self.n_neighbors
        blocks = [
            np.partition(cdist(rows[i : i + _BLOCK], self.points_), k - 1, axis=1)[:, k - 1]
            for i in range(0, len(rows), _BLOCK)
        ]
        return -np.concatenate(blocks)

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        k = np.array([self.n_neighbors], np.int64)
        nearest = OnnxTopK(squared_distances(rows, self.points_, opset), k, axis=1, largest=0, op_version=opset)
        kth = OnnxSlice(nearest[0], k - 1, k, COLUMN, op_version=opset)
        return OnnxNeg(OnnxSqrt(kth, op_version=opset), op_version=opset)
