# SPDX-License-Identifier: Apache-2.0
"""Neural-collapse ratio (NECO; Ammar et al. 2024, arXiv 2310.06823), for the means of a frame."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxDiv,
    OnnxMul,
    OnnxNeg,
    OnnxReduceMax,
    OnnxSqrt,
    OnnxSub,
)
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.leading_directions import leading_directions
from export.detectors.onnx_operators import COLUMN, product, scalar, squared_norm
from export.detectors.penultimate import Span, columns_of, spans_of_means
from export.detectors.rounding import RESOLUTION

MOST_DIRECTIONS = 256
_EXPLAINED = 0.9
SMALLEST = 1e-12
"""Added to squared norms, so that a frame at the very mean has a ratio."""


class NeuralCollapseRatio(BaseEstimator):  # type: ignore[misc]
    """Share of a frame's norm that lies in the principal space of in-distribution frames, times the largest mean logit.

    ``score = -|P h| / |h| * max_k l_k``, with ``h`` the standardised channel means, P the projection on the principal
    directions that explain 90 % of the variance (at most 256), ``l`` the mean logits. Without logits, the ratio alone, as
    the paper has it for networks whose logits do not help. Where the second feature is ``maximum_logit`` it stands for the
    maximum. A frame at the very mean has the ratio 1.

    Attributes:
        spans_: columns of the channel means, and of the mean logits where there are any.
        is_maximum_: whether the second feature is minus the largest logit already.
        location_: ``(C,)`` float64, means of the channels.
        scale_: ``(C,)`` float64, their standard deviations; 1 where a channel is constant up to float32's rounding.
        directions_: ``(r, C)`` float32, the principal directions.
        n_features_in_: D.
    """

    def fit(self, X: ArrayLike, y: None = None, widths: Sequence[int] | None = None) -> Self:  # noqa: ARG002
        """Find the principal space.

        Args:
            X: ``(N, D)`` moments of the penultimate layer, then those of the logits, the frame's largest logit, or nothing.
            y: ignored.
            widths: columns of each.

        Raises:
            ValueError: fewer than two rows, other features, or frames whose channels are all constant.
        """
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self.spans_: tuple[Span, ...] = spans_of_means(widths or (), rows.shape[1], most=2)
        self.is_maximum_ = widths is not None and len(widths) > 1 and widths[1] == 1
        means = rows[:, slice(*self.spans_[0])]
        self.location_: NDArray[np.float64] = means.mean(axis=0)
        deviation = means.std(axis=0)
        constant = deviation <= RESOLUTION * np.abs(means).max(axis=0)
        if constant.all():
            raise ValueError(f"expected frames that differ, got {len(rows)} of one mean in every channel: fit others")
        self.scale_: NDArray[np.float64] = np.where(constant, 1.0, deviation)
        spectrum = leading_directions((means - self.location_) / self.scale_, MOST_DIRECTIONS)
        enough = int(np.searchsorted(np.cumsum(spectrum.values) / spectrum.trace, _EXPLAINED)) + 1
        self.directions_: NDArray[np.float32] = spectrum.directions[:enough].astype(np.float32)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Ratio of each row, times its largest logit; ``(M,)`` float64, higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        standardised = (rows[:, slice(*self.spans_[0])] - self.location_) / self.scale_
        along = standardised @ self.directions_.T.astype(np.float64)
        squared = ((along**2).sum(axis=1) + SMALLEST) / ((standardised**2).sum(axis=1) + SMALLEST)
        ratio: NDArray[np.float64] = np.sqrt(squared)
        if len(self.spans_) == 1:
            return ratio
        logits = rows[:, slice(*self.spans_[1])]
        result: NDArray[np.float64] = ratio * (-logits[:, 0] if self.is_maximum_ else logits.max(axis=1))
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        centred = OnnxSub(columns_of(rows, self.spans_[0], opset), self.location_[None], op_version=opset)
        standardised = OnnxDiv(centred, self.scale_[None], op_version=opset)
        inside = squared_norm(product(standardised, self.directions_, opset), opset)
        above = OnnxAdd(inside, scalar(SMALLEST), op_version=opset)
        below = OnnxAdd(squared_norm(standardised, opset), scalar(SMALLEST), op_version=opset)
        ratio = OnnxSqrt(OnnxDiv(above, below, op_version=opset), op_version=opset)
        if len(self.spans_) == 1:
            return ratio
        logits = columns_of(rows, self.spans_[1], opset)
        if self.is_maximum_:
            return OnnxMul(ratio, OnnxNeg(logits, op_version=opset), op_version=opset)
        return OnnxMul(ratio, OnnxReduceMax(logits, COLUMN, keepdims=1, op_version=opset), op_version=opset)
