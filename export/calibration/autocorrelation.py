# SPDX-License-Identifier: Apache-2.0
"""Effective number of independent frames of a video, from the autocorrelation of its scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def effective_frames(scores: NDArray[np.float64], drives: Sequence[str]) -> float:
    """Compute the effective number of frames, for shares of frames above a score.

    ``n^2 / sum_g n_g t_g`` with the n_g frames and the autocorrelation time ``t_g = 1 + 2 sum_k r_k`` of each drive, taken
    from the ranks of the scores: a share of frames depends on their order alone. The autocorrelations r_k are summed by
    pairs for as long as the pairs are positive (Geyer 1992, initial positive sequence).

    Args:
        scores: ``(n,)`` in the order of recording within each drive.
        drives: ``(n,)`` names.

    Returns:
        In [number of drives, n].
    """
    names = np.asarray(drives)
    ranks = rankdata(scores)
    weighted = 0.0
    distinct = np.unique(names)
    for name in distinct:
        own = ranks[names == name]
        weighted += len(own) * autocorrelation_time(own)
    return float(np.clip(len(ranks) ** 2 / weighted, len(distinct), len(ranks)))


def autocorrelation_time(values: NDArray[np.float64]) -> float:
    """Compute ``1 + 2 sum_k r_k`` of a sequence by its initial positive sequence; in [1, n], 1 for a constant one."""
    count = len(values)
    centred = values - values.mean()
    variance = float(centred @ centred)
    if count < 3 or variance == 0:
        return 1.0
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    correlations = np.fft.irfft(spectrum, size)[:count] / variance
    pairs = correlations[: count - count % 2].reshape(-1, 2).sum(axis=1)
    positive = np.cumprod(pairs > 0).astype(bool)
    return float(np.clip(2 * pairs[positive].sum() - 1, 1, count))
