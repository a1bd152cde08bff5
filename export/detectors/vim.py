# SPDX-License-Identifier: Apache-2.0
"""Virtual-logit matching (ViM; Wang et al. 2022, arXiv 2203.10807), for the means of a frame."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import (
    OnnxAbs,
    OnnxAdd,
    OnnxExp,
    OnnxLog,
    OnnxMul,
    OnnxNeg,
    OnnxReduceMax,
    OnnxReduceSum,
    OnnxSqrt,
    OnnxSub,
)
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from export.detectors.leading_directions import leading_directions
from export.detectors.onnx_operators import COLUMN, product, scalar, squared_norm
from export.detectors.penultimate import Span, columns_of, spans_of_means

MOST_DIRECTIONS = 256


class VirtualLogit(BaseEstimator):  # type: ignore[misc]
    """Virtual logit of the residual outside the principal space, against the energy of the logits.

    ``score = alpha |x'| - log sum_k exp(l_k)``, with ``x'`` what the principal directions leave of the centred channel means,
    ``l`` the mean logits, and ``alpha = |mean max_k l_k| / mean |x'|`` over the training frames. The paper's score, the
    softmax probability of the virtual logit, is a monotone function of this one. Where the second feature is an energy
    already, it stands for the logarithm, and its mean for the largest logit's.

    Departures for frames: the origin is the mean of the frames, not the classifier's own (its weights are not a feature); the
    principal space has half the channels, as the paper's of small features, and at most half as many directions as
    there are frames, or 256; alpha takes the magnitude, as mean logits may be negative.

    Attributes:
        spans_: columns of the channel means, and of the mean logits or the energy.
        is_energy_: whether the second feature is an energy.
        location_: ``(C,)`` float64, mean of the channel means.
        directions_: ``(r, C)`` float64, the principal directions: rounded ones would leave a residual of their own.
        alpha_: of the virtual logit.
        n_features_in_: D.
    """

    def fit(self, X: ArrayLike, y: None = None, widths: Sequence[int] | None = None) -> Self:  # noqa: ARG002
        """Find the principal space and the scale of the virtual logit.

        Args:
            X: ``(N, D)`` moments of the penultimate layer, then those of the logits or the frame's energy.
            y: ignored.
            widths: columns of the two.

        Raises:
            ValueError: fewer than two rows, other features, or frames without a residual.
        """
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        spans = spans_of_means(widths or (), rows.shape[1], most=2)
        if len(spans) != 2:
            raise ValueError(
                "expected moments of a layer and of the logits, or an energy, got moments alone: add one of them"
            )
        self.spans_: tuple[Span, Span] = (spans[0], spans[1])
        self.is_energy_ = widths is not None and widths[1] == 1
        means, logits = (rows[:, slice(*span)] for span in self.spans_)
        count = min(means.shape[1] // 2, len(means) // 2, MOST_DIRECTIONS)
        spectrum = leading_directions(means, count)
        self.location_: NDArray[np.float64] = spectrum.mean
        self.directions_: NDArray[np.float64] = spectrum.directions
        residual = float(self._residual(means).mean())
        if not residual > np.finfo(np.float32).eps * float(np.sqrt(spectrum.trace)):
            raise ValueError(
                f"expected frames that differ outside {count} principal directions, got none: fit more frames"
            )
        largest = -logits[:, 0] if self.is_energy_ else logits.max(axis=1)
        self.alpha_ = abs(float(largest.mean())) / residual
        return self

    def _residual(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = means - self.location_
        along = centred @ self.directions_.T
        residual: NDArray[np.float64] = np.sqrt(np.abs((centred**2).sum(axis=1) - (along**2).sum(axis=1)))
        return residual

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Energy minus virtual logit of each row; ``(M,)`` float64, higher = closer."""
        check_is_fitted(self)
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        means, logits = (rows[:, slice(*span)] for span in self.spans_)
        energy = -logits[:, 0] if self.is_energy_ else logsumexp(logits, axis=1)
        result: NDArray[np.float64] = energy - self.alpha_ * self._residual(means)
        return result

    def onnx_score(self, rows: OnnxOperator, opset: int) -> OnnxOperator:
        """:meth:`score_samples` of ``(B, D)`` float64 rows as ONNX operators, ``(B, 1)``."""
        means, logits = (columns_of(rows, span, opset) for span in self.spans_)
        centred = OnnxSub(means, self.location_[None], op_version=opset)
        along = product(centred, self.directions_, opset)
        squared = OnnxSub(squared_norm(centred, opset), squared_norm(along, opset), op_version=opset)
        residual = OnnxSqrt(OnnxAbs(squared, op_version=opset), op_version=opset)
        virtual = OnnxMul(residual, scalar(self.alpha_), op_version=opset)
        if self.is_energy_:
            return OnnxNeg(OnnxAdd(virtual, logits, op_version=opset), op_version=opset)
        largest = OnnxReduceMax(logits, COLUMN, keepdims=1, op_version=opset)
        shares = OnnxExp(OnnxSub(logits, largest, op_version=opset), op_version=opset)
        total = OnnxReduceSum(shares, COLUMN, keepdims=1, op_version=opset)
        energy = OnnxAdd(OnnxLog(total, op_version=opset), largest, op_version=opset)
        return OnnxSub(energy, virtual, op_version=opset)
