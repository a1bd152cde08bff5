# SPDX-License-Identifier: Apache-2.0
"""How far the confidence of pixels is from their accuracy: sums by bins of confidence, and the expected calibration error.

The error is that of Naeini et al. (2015) over the largest probability (Guo et al. 2017, arXiv 1706.04599): the distance of
mean confidence and accuracy in each of 15 bins of equal width, weighed by the pixels that the bin holds.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 15

Sums = NDArray[np.float64]
"""``(..., 15, 3)``: number of pixels, sum of their confidences, and number of those that are right, by bin."""


def bin_sums(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Sums:
    """Sums ``(15, 3)`` of pixels.

    Args:
        confidence: ``(n,)`` from 0 to 1.
        right: ``(n,)``, whether the class of each pixel is that of its label.
    """
    place = np.minimum((np.asarray(confidence, np.float64) * BINS).astype(np.int64), BINS - 1)
    return np.stack([np.bincount(place, weights, BINS) for weights in (None, confidence, right)], axis=1).astype(float)


def calibration_error(sums: Sums) -> NDArray[np.float64]:
    """Expected calibration error ``(...)``; NaN without a pixel."""
    counts = sums[..., 0].sum(axis=-1)
    apart = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return np.asarray(np.divide(apart, counts, out=np.full(np.shape(counts), np.nan), where=counts > 0))
