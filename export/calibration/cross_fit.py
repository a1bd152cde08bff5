# SPDX-License-Identifier: Apache-2.0
"""Cross-fit: score every frame by a detector that was fitted without the frame's drive (docs/concepts/thresholds.md)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.errors import CalibrationError

Indices = NDArray[np.int64]
Scores = NDArray[np.float64]
Fit = Callable[[Indices], Callable[[Indices], Scores]]
"""Fits a detector on frames, by their indices, and gives the function that scores frames with it, by their indices."""


def deal_folds(drives: Sequence[str], folds: int, seed: int = 0) -> Indices:
    """Deal whole drives into folds at random; cut a single drive into contiguous blocks.

    Drives are dealt by lot alone, never by size: small drives differ from large ones, and a fold of the smallest would not be
    exchangeable with the rest. Folds differ by one drive at most; there are no more folds than drives.

    Args:
        drives: ``(N,)`` names, in the order of recording.
        folds: how many, at least 2.
        seed: of the lot.

    Returns:
        ``(N,)`` the fold of each frame, counted from 0.

    Raises:
        CalibrationError: fewer than two frames.
    """
    if len(drives) < 2:
        raise CalibrationError(f"expected at least 2 frames to leave some out, got {len(drives)}: calibrate on more")
    names, drive = np.unique(np.asarray(drives), return_inverse=True)
    if len(names) == 1:
        blocks = np.array_split(np.arange(len(drives)), min(folds, len(drives)))
        return np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    dealt = np.random.default_rng(seed).permutation(np.arange(len(names)) % min(folds, len(names)))
    fold: Indices = dealt[drive]
    return fold


def cross_fit_scores(fold: Indices, fit: Fit) -> Scores:
    """Score the frames of each fold by a detector that was fitted on all frames of no fold and of the other folds.

    Args:
        fold: ``(N,)`` the fold of each frame, as :func:`deal_folds` gives it; below 0 for frames that are in no fold: they
            fit every detector and get no score.
        fit: fits a detector, with all that it learns from frames: scaling, projection, bandwidth, weights of its parts.

    Returns:
        Scores of the frames that are in a fold, in the order of the frames.
    """
    scores = np.full(len(fold), np.nan)
    for k in np.unique(fold[fold >= 0]):
        left_out = np.flatnonzero(fold == k)
        scores[left_out] = fit(np.flatnonzero(fold != k))(left_out)
    return scores[fold >= 0]
