# SPDX-License-Identifier: Apache-2.0
"""How well scores tell in-distribution from out-of-distribution frames, each figure with a bootstrap interval.

OoD is the positive class. A frame is flagged where its score is above the threshold.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.evaluation.bootstrap import Interval, interval, resample_counts, share_interval

Scores = NDArray[np.float64]

RESAMPLES = 500
AT = 0.95
FIGURES = (
    "auroc",
    "aupr_ood_positive",
    "aupr_ind_positive",
    "ind_flagged@95_ood_caught",
    "ood_missed@95_ind_kept",
    "accuracy",
    "mcc",
    "f1",
    "false_alarm_rate",
    "miss_rate",
)
"""The last five are at the threshold."""


def shift_figures(
    ind: Scores, ood: Scores, threshold: float, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """All of ``FIGURES`` with 95 % intervals: of shares of frames exact ones, of the others by the bootstrap.

    Args:
        ind: ``(n,)`` finite scores of in-distribution frames in the order of recording, higher = stranger.
        ood: ``(m,)`` finite scores of out-of-distribution frames.
        threshold: of the operating point.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UsageError: no frame on one side, or a score that is not finite.
    """
    if not (len(ind) and len(ood) and np.isfinite(ind).all() and np.isfinite(ood).all()):
        raise UsageError(f"expected finite scores on both sides, got {len(ind)} InD and {len(ood)} OoD ones")
    rng = np.random.default_rng(seed)
    whole = _figures(ind, ood, threshold, np.ones((1, len(ind))), np.ones((1, len(ood))))
    drawn = _figures(ind, ood, threshold, resample_counts(ind, resamples, rng), resample_counts(ood, resamples, rng))
    figures = {name: interval(float(whole[name][0]), drawn[name]) for name in whole}
    figures["false_alarm_rate"] = share_interval(ind > threshold, ind)
    figures["miss_rate"] = share_interval(ood <= threshold, ood)
    return {name: figures[name] for name in FIGURES}


def _figures(
    ind: Scores, ood: Scores, threshold: float, ind_counts: Scores, ood_counts: Scores
) -> Mapping[str, Scores]:
    """``(R, n)`` and ``(R, m)`` counts to ``(R,)`` of each figure but the two shares of frames."""
    ranked = _ranking(ind, ood, ind_counts, ood_counts)
    false_alarms, caught = ind_counts @ (ind > threshold), ood_counts @ (ood > threshold)
    kept, missed = ind_counts.sum(axis=1) - false_alarms, ood_counts.sum(axis=1) - caught
    margins = (caught + false_alarms) * (caught + missed) * (kept + false_alarms) * (kept + missed)
    return {
        **ranked,
        "accuracy": (caught + kept) / (caught + kept + missed + false_alarms),
        "mcc": (caught * kept - false_alarms * missed) / np.sqrt(np.where(margins > 0, margins, 1)),
        "f1": 2 * caught / np.maximum(2 * caught + false_alarms + missed, 1),
    }


def _ranking(ind: Scores, ood: Scores, ind_counts: Scores, ood_counts: Scores) -> dict[str, Scores]:
    """Figures of the order alone: the ROC curve's vertices, one a distinct score, from the highest down."""
    scores = np.concatenate([ind, ood])
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    false_positives, true_positives = (
        np.pad(np.cumsum(counts[:, order], axis=1)[:, last_of_tie], ((0, 0), (1, 0)))
        for counts in (
            np.pad(ind_counts, ((0, 0), (0, len(ood)))),
            np.pad(ood_counts, ((0, 0), (len(ind), 0))),
        )
    )
    fpr, tpr = false_positives / false_positives[:, -1:], true_positives / true_positives[:, -1:]
    return {
        "auroc": np.asarray(np.trapezoid(tpr, fpr, axis=1)),
        "aupr_ood_positive": _average_precision(true_positives, false_positives),
        "aupr_ind_positive": _average_precision(_from_below(false_positives), _from_below(true_positives)),
        "ind_flagged@95_ood_caught": _first(fpr, tpr >= AT),
        "ood_missed@95_ind_kept": _first(1 - tpr[:, ::-1], (1 - fpr)[:, ::-1] >= AT),
    }


def _from_below(positives: Scores) -> Scores:
    """Counts from the lowest score up, of counts from the highest down."""
    return positives[:, -1:] - positives[:, ::-1]


def _average_precision(hits: Scores, others: Scores) -> Scores:
    """Precision at each vertex, weighted by the recall gained there."""
    precision = hits[:, 1:] / np.maximum(hits[:, 1:] + others[:, 1:], 1)
    gained = np.diff(hits, axis=1) / hits[:, -1:]
    result: Scores = (precision * gained).sum(axis=1)
    return result


def _first(values: Scores, holds: NDArray[np.bool_]) -> Scores:
    """Of each row the value where the condition first holds."""
    result: Scores = np.take_along_axis(values, holds.argmax(axis=1)[:, None], axis=1)[:, 0]
    return result
