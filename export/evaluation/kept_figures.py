# SPDX-License-Identifier: Apache-2.0
"""Figures of failure prediction of the frames that are kept where one drive after the other is left out."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def kept_spearman(scores: Scores, iou: Scores, kept: Scores) -> Scores:
    """``(R,)`` rank correlation of the frames that are kept, ``(R, N)`` of 0 and 1; NaN where all of them are equal."""
    own, other = (_centred_ranks(values, kept) for values in (scores, iou))
    spread = np.sqrt((own**2).sum(axis=1) * (other**2).sum(axis=1))
    result: Scores = np.where(spread > 0, (own * other).sum(axis=1) / np.where(spread > 0, spread, 1), np.nan)
    return result


def _centred_ranks(values: Scores, kept: Scores) -> Scores:
    """``(R, N)`` ranks less their mean, 0 where a frame is left out; equal values share the mean of their ranks."""
    _, groups = np.unique(values, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    counts = np.add.reduceat(kept[:, order], starts, axis=1)
    ranks = (np.cumsum(counts, axis=1) - counts / 2)[:, groups]
    centred: Scores = kept * (ranks - kept.sum(axis=1, keepdims=True) / 2)
    return centred


def kept_risk(scores: Scores, iou: Scores, kept: Scores) -> Scores:
    """``(R,)`` areas under the risk-coverage curve (AURC) of the frames that are kept, ``(R, N)`` of 0 and 1."""
    order = np.argsort(scores, kind="stable")
    accepted = kept[:, order]
    risk = np.cumsum(accepted * (1 - iou[order]), axis=1) / np.maximum(np.cumsum(accepted, axis=1), 1)
    areas: Scores = (accepted * risk).sum(axis=1) / accepted.sum(axis=1)
    return areas


def kept_generalised_risk(scores: Scores, iou: Scores, kept: Scores) -> Scores:
    """``(R,)`` areas under the generalised risk-coverage curve (AUGRC) of the frames that are kept, ``(R, N)`` of 0 and 1."""
    _, groups = np.unique(scores, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    frames = kept.sum(axis=1, keepdims=True)
    width = np.add.reduceat(kept[:, order], starts, axis=1) / frames
    loss = np.add.reduceat(kept[:, order] * (1 - iou[order]), starts, axis=1) / frames
    areas: Scores = (width * (np.cumsum(loss, axis=1) - loss / 2)).sum(axis=1)
    return areas
