# SPDX-License-Identifier: Apache-2.0
"""Effective number of independent frames of a video, from the autocorrelation of its scores."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_FEWEST_FRAMES_A_DRIVE = 6
"""Shorter drives, on average, tell too little of the correlation at one frame to correct its bias."""


def effective_frames(
    scores: NDArray[np.float64], drives: Sequence[str], still: NDArray[np.bool_] | None = None
) -> float:
    """Compute the effective number of frames, for shares of frames above a score.

    ``n^2 / sum_g n_g t_g`` with the n_g frames and the autocorrelation time ``t_g`` of each drive, taken from the ranks of
    the scores: a share of frames depends on their order alone. ``t_g`` is the larger of two estimates, since each is too low
    for few frames: ``1 + 2 sum_k r_k``, summed by pairs for as long as these are positive (Geyer 1992, initial positive
    sequence), and ``(1 + rho) / (1 - rho)`` of the first-order autoregression that the drives have in common, with rho
    corrected for the bias that the mean of a drive gives it (Kendall 1954). A drive of constant scores is worth one frame.

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.
        still: ``(n,)``, frames whose picture is nearly that of the frame before: they count as that frame; None for none.

    Returns:
        In [1, n]; the number of drives, where each has constant scores and they are of one length.
    """
    held = scores if still is None else hold_still(scores, drives, still)
    names, ranks = np.asarray(drives), rankdata(held)
    sequences = [ranks[names == name] for name in np.unique(names)]
    in_common = first_order_time(sequences)
    weighted = sum(len(own) * min(max(autocorrelation_time(own), in_common), len(own)) for own in sequences)
    return float(np.clip(len(ranks) ** 2 / weighted, 1, len(ranks)))


def hold_still(scores: NDArray[np.float64], drives: Sequence[str], still: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give frames that show nearly the same picture as the one before them in their drive the score of that one."""
    held = np.array(scores)
    last: dict[str, float] = {}
    for i, drive in enumerate(drives):
        if still[i] and drive in last:
            held[i] = last[drive]
        last[drive] = float(held[i])
    return held


def autocorrelation_time(values: NDArray[np.float64]) -> float:
    """Compute ``1 + 2 sum_k r_k`` of a sequence by its initial positive sequence; in [1, n], n for a constant one."""
    count = len(values)
    if np.ptp(values) == 0:
        return float(count)
    if count < 3:
        return 1.0
    centred = values - values.mean()
    variance = float(centred @ centred)
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    correlations = np.fft.irfft(spectrum, size)[:count] / variance
    pairs = correlations[: count - count % 2].reshape(-1, 2).sum(axis=1)
    positive = np.cumprod(pairs > 0).astype(bool)
    return float(np.clip(2 * pairs[positive].sum() - 1, 1, count))


def first_order_time(sequences: Sequence[NDArray[np.float64]]) -> float:
    """Compute ``(1 + rho) / (1 - rho)`` of the first-order autoregression that sequences have in common.

    Each sequence has a mean of its own, which lowers the correlation of consecutive values by about ``(1 + 3 rho) / n``
    (Kendall 1954); that is put right.

    Returns:
        At least 1, infinity where rho reaches 1; 1 where the sequences are too short on average, or all constant.
    """
    varied = [own - own.mean() for own in sequences if np.ptp(own) > 0]
    count = sum(map(len, varied))
    if not varied or count < _FEWEST_FRAMES_A_DRIVE * len(varied):
        return 1.0
    rho = sum(float(own[1:] @ own[:-1]) for own in varied) / sum(float(own @ own) for own in varied)
    rho = (count * rho + len(varied)) / (count - 3 * len(varied))
    return max(1.0, (1 + rho) / (1 - rho)) if rho < 1 else math.inf
