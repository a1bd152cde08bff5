# SPDX-License-Identifier: Apache-2.0
"""Deal frames to folds, so that each is scored by detectors that were fitted without its drive."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 5

Fold = NDArray[np.int64]
"""Indices of frames, ascending."""


def deal_folds(drives: Sequence[str], folds: int = FOLDS, seed: int = 0) -> list[Fold]:
    """Deal whole drives to folds at random, never by their size; cut a single drive into contiguous blocks.

    Args:
        drives: ``(N,)`` name of each frame's drive, in the order of recording.
        folds: at most so many; there are never more than drives, or frames of a single drive.
        seed: of the deal.

    Returns:
        Indices of the frames of each fold; each frame is in one.

    Raises:
        ValueError: fewer than two folds, or fewer than two frames.
    """
    if folds < 2 or len(drives) < 2:
        raise ValueError(f"expected 2 or more folds of 2 or more frames, got {folds} of {len(drives)}: add frames")
    names, drive = np.unique(np.asarray(drives), return_inverse=True)
    if len(names) == 1:
        return list(np.array_split(np.arange(len(drives)), min(folds, len(drives))))
    dealt = np.empty(len(names), np.int64)
    dealt[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % min(folds, len(names))
    return [np.flatnonzero(dealt[drive] == fold) for fold in range(min(folds, len(names)))]
