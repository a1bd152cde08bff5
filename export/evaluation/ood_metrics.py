# SPDX-License-Identifier: Apache-2.0
"""Metrics of scores that separate in-distribution (InD) and out-of-distribution (OoD) frames; OoD is the positive class.

:func:`shift_figures` gives every figure with an interval; there a frame is flagged where its score is above the threshold.
:func:`ind_flagged` and :func:`ood_missed` give one figure each, of labelled scores.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from export.errors import UsageError
from export.evaluation.interval import Interval, jackknife_interval, without_interval
from export.evaluation.set_drives import LeftOutDrives, SetDrives, count_sides

Scores = NDArray[np.float64]

IND, OOD = 0, 1
"""Labels, as in the guide of 2023-04. Its code has had them the other way round since 2023-05-22."""

RATE = 0.95
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

ALONE = ("aupr_ood_positive", "aupr_ind_positive")
"""Figures without an interval: rare drives far from all others decide them, which the drives at hand do not show."""

LOWEST = {"mcc": -1.0}
"""Lowest value of the figures that can be below 0."""


def shift_figures(
    ind: Scores, ood: Scores, threshold: float, *, drives: tuple[SetDrives, SetDrives] | None = None
) -> dict[str, Interval]:
    """Compute all of ``FIGURES``; all but those ``ALONE`` have 95 % intervals where there are enough drives on both sides.

    Args:
        ind: ``(n,)`` finite scores of in-distribution frames.
        ood: ``(m,)`` finite scores of out-of-distribution frames.
        threshold: of the operating point.
        drives: of the frames of the two sides; None for no intervals.

    Raises:
        UsageError: no frame on one side, or a score that is not finite.
    """
    if not (len(ind) and len(ood) and np.isfinite(ind).all() and np.isfinite(ood).all()):
        raise UsageError(
            f"expected finite scores on both sides, got {len(ind)} InD and {len(ood)} OoD ones: "
            "leave out frames without a score"
        )
    whole = _figures(ind, ood, threshold, np.ones((1, len(ind))), np.ones((1, len(ood))))
    figures = {name: without_interval(float(value[0])) for name, value in whole.items()}
    figures["false_alarm_rate"] = without_interval(float((ind > threshold).mean()))
    figures["miss_rate"] = without_interval(float((ood <= threshold).mean()))
    if drives is not None:
        counted = count_sides([drives[:1], drives[1:]])
        if counted.enough:
            left_out, frames = LeftOutDrives.of_sets(drives), len(ind) + len(ood)
            without = _figures(ind, ood, threshold, *left_out.kept)
            figures |= {
                name: jackknife_interval(
                    float(whole[name][0]), values, left_out.samples, counted, frames, LOWEST.get(name, 0.0)
                )
                for name, values in without.items()
                if name not in ALONE
            }
        figures["false_alarm_rate"] = drives[0].share(ind > threshold)
        figures["miss_rate"] = drives[1].share(ood <= threshold)
    return {name: figures[name] for name in FIGURES}


def _figures(
    ind: Scores, ood: Scores, threshold: float, ind_counts: Scores, ood_counts: Scores
) -> Mapping[str, Scores]:
    """Compute ``(R,)`` of each figure but the two shares of frames, from ``(R, n)`` and ``(R, m)`` counts."""
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
        "ind_flagged@95_ood_caught": _first(fpr, tpr >= RATE),
        "ood_missed@95_ind_kept": _first(1 - tpr[:, ::-1], (1 - fpr)[:, ::-1] >= RATE),
    }


def _from_below(positives: Scores) -> Scores:
    """Turn counts from the highest score down into counts from the lowest up."""
    return positives[:, -1:] - positives[:, ::-1]


def _average_precision(hits: Scores, others: Scores) -> Scores:
    """Precision at each vertex, weighted by the recall gained there."""
    precision = hits[:, 1:] / np.maximum(hits[:, 1:] + others[:, 1:], 1)
    gained = np.diff(hits, axis=1) / hits[:, -1:]
    result: Scores = (precision * gained).sum(axis=1)
    return result


def _first(values: Scores, holds: NDArray[np.bool_]) -> Scores:
    """Value of each row where the condition first holds."""
    result: Scores = np.take_along_axis(values, holds.argmax(axis=1)[:, None], axis=1)[:, 0]
    return result


def ind_flagged(labels: ArrayLike, scores: ArrayLike, ood_caught: float = RATE) -> float:
    """Share of InD frames flagged by the highest threshold that catches at least ``ood_caught`` of the OoD frames.

    The guide's ``fpr@95``.

    Args:
        labels: ``(M,)``, 0 for InD and 1 for OoD.
        scores: ``(M,)``; a frame is flagged where its score reaches the threshold.
        ood_caught: in (0, 1].

    Raises:
        UsageError: labels other than 0 and 1, or one of them missing.
    """
    check_labels(labels)
    return _false_positives(np.asarray(labels) == OOD, np.asarray(scores), ood_caught)


def ood_missed(labels: ArrayLike, scores: ArrayLike, ind_kept: float = RATE) -> float:
    """Share of OoD frames missed by the lowest threshold that keeps at least ``ind_kept`` of the InD frames.

    LaREx' ``fpr@95``, with InD as positive class. Arguments and errors as for :func:`ind_flagged`, except that a frame is
    kept where its score does not exceed the threshold.
    """
    check_labels(labels)
    return _false_positives(np.asarray(labels) == IND, -np.asarray(scores), ind_kept)


def check_labels(labels: ArrayLike) -> None:
    """Refuse labels that do not tell two kinds of frames apart.

    Raises:
        UsageError: labels other than 0 and 1, or one of them missing.
    """
    found = np.unique(np.asarray(labels))
    if not np.array_equal(found, [IND, OOD]):
        raise UsageError(
            f"expected labels 0 (InD) and 1 (OoD), both present, got {found.tolist()[:5]}: add rows of the other kind"
        )


def _false_positives(positive: NDArray[np.bool_], scores: NDArray[np.floating], recall: float) -> float:
    fpr, tpr, _ = roc_curve(positive, scores, drop_intermediate=False)
    return float(fpr[np.argmax(tpr >= recall)])
