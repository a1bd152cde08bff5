# SPDX-License-Identifier: Apache-2.0
"""Deal frames to folds, so that each is scored by detectors that were fitted without its drive."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.errors import CalibrationError

FOLDS = 5

Fold = NDArray[np.int64]
"""Indices of frames, ascending."""


def fold_numbers(drives: Sequence[str], folds: int = FOLDS, seed: int = 0) -> NDArray[np.int64]:
    """Deal whole drives into folds at random; cut a single drive into contiguous blocks.

    Drives are dealt by lot alone, never by size: small drives differ from large ones, and a fold of the smallest would not be
    exchangeable with the rest. Folds differ by one drive at most; there are no more folds than drives.

    Args:
        drives: ``(N,)`` names, in the order of recording.
        folds: how many, at least 2; there are never more than drives, or frames of a single drive.
        seed: of the lot.

    Returns:
        ``(N,)`` the fold of each frame, counted from 0; every fold has a frame.

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
    numbers: NDArray[np.int64] = dealt[drive]
    return numbers


def deal_folds(drives: Sequence[str], folds: int = FOLDS, seed: int = 0) -> list[Fold]:
    """Deal frames to folds as :func:`fold_numbers` does, and give the frames of each fold.

    Args:
        drives: as there.
        folds: as there.
        seed: as there.

    Returns:
        Indices of the frames of each fold; each frame is in one.

    Raises:
        ValueError: fewer than two folds, or fewer than two frames.
    """
    if folds < 2 or len(drives) < 2:
        raise ValueError(f"expected 2 or more folds of 2 or more frames, got {folds} of {len(drives)}: add frames")
    numbers = fold_numbers(drives, folds, seed)
    return [np.flatnonzero(numbers == fold) for fold in range(numbers.max() + 1)]
