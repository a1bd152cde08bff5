# SPDX-License-Identifier: Apache-2.0
"""A score that the network's output gives already, as it is."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxNeg
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.features.rows import RowBlocks


class OutputScore(BaseEstimator):  # type: ignore[misc]
    """The one number of a row, as it is; nothing is learnt from the rows.

    Attributes:
        n_features_in_: 1.
    """

    def fit(self, X: ArrayLike | RowBlocks, y: None = None) -> Self:  # noqa: ARG002
        """Check that the rows of ``X`` are one number each, ``(N, 1)``.

        Raises:
            ValueError: rows of another width.
        """
        rows = X if isinstance(X, RowBlocks) else validate_data(self, X, dtype=np.float64)
        self.n_features_in_ = rows.shape[1]
        if rows.shape[1] != 1:
            raise ValueError(f"expected rows of one number, got {rows.shape[1]} columns: choose a score of the output")
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the number of each row of ``X``, ``(M, 1)``; ``(M,)`` float64, higher = closer."""
        check_is_fitted(self, "n_features_in_")
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        result: NDArray[np.float64] = -rows[:, 0]
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, 1)`` float64 rows as ONNX operators, ``(B, 1)``."""
        return OnnxNeg(rows, op_version=opset)
