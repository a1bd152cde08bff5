# SPDX-License-Identifier: Apache-2.0
"""Failure prediction: measure how well a score ranks frames by the network's mean IoU (risk-coverage curves)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from export.errors import UsageError

Scores = NDArray[np.float64]


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
    spearman: float
    risk: Scores
    oracle_risk: Scores
    aurc: float
    oracle_aurc: float
    random_aurc: float
    augrc: float
    oracle_augrc: float
    random_augrc: float


def failure_prediction(score_name: str, scores: Scores, iou: Scores) -> FailurePrediction:
    """Relate ``(N,)`` scores to ``(N,)`` mean IoU of the same frames.

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
    return FailurePrediction(
        score_name,
        float(spearmanr(scores, iou).statistic) if varied else float("nan"),
        risk,
        oracle_risk,
        float(risk.mean()),
        float(oracle_risk.mean()),
        float(1 - iou.mean()),
        generalised_risk(scores, iou),
        generalised_risk(-iou, iou),
        float((1 - iou).mean() / 2),
    )


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
