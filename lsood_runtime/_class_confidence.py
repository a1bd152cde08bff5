# SPDX-License-Identifier: Apache-2.0
"""How confident the segmentation is of each class that a frame shows."""

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-4
"""Of sums of single precision over all cells of a map."""


def confidence_of_classes(given: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean confidence ``(K,)`` of the cells of each class, read-only; 0 for a class without a cell, and where it is unknown.

    Args:
        given: ``(2, K)``: shares of the cells by class, and the sums of their confidences by the number of all cells.
    """
    shares, sums = np.asarray(given, np.float64)
    is_known = bool((shares >= 0).all()) and bool((sums >= 0).all())  # NaN is not
    if not (is_known and abs(float(shares.sum()) - 1) <= _ROUNDING and bool((sums <= shares + _ROUNDING).all())):
        return no_class_known(len(shares))
    confidence = np.divide(sums, shares, out=np.zeros_like(sums), where=shares > 0)
    return _read_only(np.minimum(confidence, 1))


def no_class_known(classes: int) -> NDArray[np.float64]:
    """Confidences ``(K,)`` of a frame of which they are unknown."""
    return _read_only(np.zeros(classes))


def confidence_text(confidence: NDArray[np.float64]) -> str:
    """Number and confidence of each class that the frame shows, ``0:0.982 3:0.714``; empty where it is unknown."""
    return " ".join(f"{number}:{confidence[number]:.4g}" for number in np.flatnonzero(confidence))


def _read_only(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    confidence.flags.writeable = False
    return confidence
