# SPDX-License-Identifier: Apache-2.0
"""Rows of two features, the moments of the penultimate layer and those of the logits: what ViM and NECO read of them.

Both methods were published for one image's feature vector and its logits. Their frame-level form here reads the mean of each
channel over the map, and the mean of each class's logit over the pixels; where the classifier is a 1x1 convolution of the
penultimate layer, these mean logits are the classifier's output at the mean channels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.algebra.onnx_ops import OnnxSlice

from export.detectors.onnx_operators import COLUMN

Rows = NDArray[np.float64]
Span = tuple[int, int]


def spans_of_means(widths: Sequence[int], columns: int, most: int) -> tuple[Span, ...]:
    """Columns of the means in rows of several features: the first half of each, or the one number of a score.

    Args:
        widths: of the features, side by side.
        columns: of the rows.
        most: number of features that are read; the first is moments.

    Raises:
        ValueError: other widths than the rows have, too many, or a width that is no feature's.
    """
    starts = np.concatenate([[0], np.cumsum(widths)]).tolist()
    odd = [width for i, width in enumerate(widths) if width % 2 and (i == 0 or width != 1)]
    if not 1 <= len(widths) <= most or starts[-1] != columns or odd:
        raise ValueError(
            f"expected moments of a layer{' and of the logits' if most > 1 else ''}, got features of "
            f"{', '.join(map(str, widths)) or 'no'} columns: choose other features"
        )
    return tuple((start, start + max(width // 2, 1)) for start, width in zip(starts, widths, strict=False))


def columns_of(rows: OnnxOperator, span: Span, opset: int) -> OnnxOperator:
    """Cut a span of columns out of ``(B, D)`` rows, as an ONNX operator."""
    start, end = (np.array([i], np.int64) for i in span)
    return OnnxSlice(rows, start, end, COLUMN, op_version=opset)
