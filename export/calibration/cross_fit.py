# SPDX-License-Identifier: Apache-2.0
"""Cross-fit: score every frame by a detector that was fitted without the frame's drive (docs/concepts/thresholds.md)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]
Fit = Callable[[Indices], Callable[[Indices], Scores]]
"""Fits a detector on frames, by their indices, and gives the function that scores frames with it, by their indices."""


def cross_fit_scores(fold: Indices, fit: Fit) -> Scores:
    """Score the frames of each fold by a detector that was fitted on all frames of no fold and of the other folds.

    Args:
        fold: ``(N,)`` the fold of each frame, as :func:`~export.detectors.cross_fit.fold_numbers` gives it; below 0 for
            frames that are in no fold: they fit every detector and get no score.
        fit: fits a detector, with all that it learns from frames: scaling, projection, bandwidth, weights of its parts.

    Returns:
        Scores of the frames that are in a fold, in the order of the frames.
    """
    scores = np.full(len(fold), np.nan)
    for k in np.unique(fold[fold >= 0]):
        left_out = np.flatnonzero(fold == k)
        scores[left_out] = fit(np.flatnonzero(fold != k))(left_out)
    return scores[fold >= 0]
