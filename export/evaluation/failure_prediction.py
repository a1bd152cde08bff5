# SPDX-License-Identifier: Apache-2.0
"""Failure prediction: measure how well a score ranks frames by the network's mean IoU (risk-coverage curves)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from export.errors import UsageError
from export.evaluation.interval import Interval, without_interval
from export.evaluation.kept_figures import kept_generalised_risk, kept_risk, kept_spearman
from export.evaluation.set_drives import SetDrives, figure_interval
from export.frames.overlaps import Overlaps, mean_iou

Scores = NDArray[np.float64]


def mean_iou_interval(frames: Sequence[Overlaps], drives: SetDrives) -> Interval:
    """The mean IoU of the classes that occur, with its interval over drives; a class may occur in some of them alone."""
    intersection, union = (
        np.array([getattr(frame, name) for frame in frames], np.float64) for name in ("intersection", "union")
    )

    def without(kept: Sequence[Scores]) -> Scores:
        pixels, either = kept[0] @ intersection, kept[0] @ union
        occurs = either > 0
        result: Scores = (pixels / np.where(occurs, either, 1)).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
        return result

    return figure_interval([drives], [[drives]], without, mean_iou(frames), math.inf)


@dataclass(frozen=True, eq=False)
class FailurePrediction:
    """Figures of how well a score ranks frames by the network's failure.

    Attributes:
        score_name: name of the score.
        spearman: rank correlation of score and mean IoU: -1 where a higher score always goes with a lower mIoU.
        risk: ``(N,)`` mean of 1 - mIoU over the k frames of lowest score, k = 1..N.
        oracle_risk: the same for frames ranked by their mIoU.
        aurc: mean of ``risk`` (area under the risk-coverage curve; Geifman and El-Yaniv 2017).
        oracle_aurc: mean of ``oracle_risk``.
        random_aurc: the same for frames in random order: the mean risk.
        augrc: area under the generalised risk-coverage curve (:func:`generalised_risk`; Traub et al. 2024).
        oracle_augrc: the same for frames ranked by their mIoU.
        random_augrc: the same for frames in random order: half of the mean risk.
    """

    score_name: str
    spearman: Interval
    risk: Scores
    oracle_risk: Scores
    aurc: Interval
    oracle_aurc: float
    random_aurc: float
    augrc: Interval
    oracle_augrc: float
    random_augrc: float


def failure_prediction(
    score_name: str, scores: Scores, iou: Scores, drives: Sequence[SetDrives] = ()
) -> FailurePrediction:
    """Relate ``(N,)`` scores to ``(N,)`` mean IoU of the same frames, which are those of the sets of ``drives``, if any.

    Of equal scores the earlier frame is accepted first. Spearman is NaN where all scores or all frames are equal.

    Raises:
        UsageError: arrays of different length, fewer than two frames, or numbers that are not finite.
    """
    if len(scores) != len(iou) or len(scores) < 2 or not (np.isfinite(scores).all() and np.isfinite(iou).all()):
        raise UsageError(
            f"expected finite scores and mIoU of at least two frames, got {len(scores)} and {len(iou)}: "
            "leave out frames without a label"
        )
    varied = np.ptp(scores) > 0 and np.ptp(iou) > 0
    risk, oracle_risk = risk_coverage(scores, iou), risk_coverage(-iou, iou)
    spearman, aurc, augrc = (
        figure_interval(drives, [drives], partial(_together, figure, scores, iou), value, math.inf, lowest)
        if drives
        else without_interval(value)
        for figure, value, lowest in (
            (kept_spearman, float(spearmanr(scores, iou).statistic) if varied else float("nan"), -1.0),
            (kept_risk, float(risk.mean()), 0.0),
            (kept_generalised_risk, generalised_risk(scores, iou), 0.0),
        )
    )
    return FailurePrediction(
        score_name,
        spearman,
        risk,
        oracle_risk,
        aurc,
        float(oracle_risk.mean()),
        float(1 - iou.mean()),
        augrc,
        generalised_risk(-iou, iou),
        float((1 - iou).mean() / 2),
    )


def _together(
    figure: Callable[[Scores, Scores, Scores], Scores], scores: Scores, iou: Scores, kept: Sequence[Scores]
) -> Scores:
    return figure(scores, iou, np.concatenate(kept, axis=1))


def risk_coverage(scores: Scores, iou: Scores) -> Scores:
    """``(N,)`` mean of 1 - mIoU over the k frames of lowest score, k = 1..N."""
    ordered = 1 - iou[np.argsort(scores, kind="stable")]
    result: Scores = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return result


def generalised_risk(scores: Scores, iou: Scores) -> float:
    """Area under the generalised risk-coverage curve, AUGRC (Traub et al. 2024, arXiv 2407.01032).

    The generalised risk at a coverage is the sum of 1 - mIoU over the accepted frames, divided by the number of *all* frames:
    the expected loss that passes unnoticed. AURC divides by the accepted ones, so that the few frames of lowest score decide
    much of it. The area is that of the trapezoids between the distinct scores: of frames with equal scores each counts as
    accepted half the time before another.
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    accepted = np.cumsum(np.bincount(places, weights=1 - iou)) / len(iou)
    coverage = np.cumsum(counts) / len(iou)
    return float(np.trapezoid(np.append(0.0, accepted), np.append(0.0, coverage)))
