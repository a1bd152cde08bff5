# SPDX-License-Identifier: Apache-2.0
"""Captions of the charts of a report; each names only what its chart holds."""

from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.result import Evaluation

HISTOGRAM = (
    "Frames right of the dashed line are flagged. Where the two colours overlap, no threshold separates the frames."
)
PLANE = "PaCMAP of the latent entropies. Red points inside the blue cloud are not separated by them."


def roc(result: Evaluation) -> str:
    """Caption of the ROC curves."""
    kinds = [shift.frames.source.kind is not None for shift in result.shifts]
    real, synthetic = "Real shifts", "synthetic ones of the lowest AUROC"
    what = f"{real} and the {synthetic}" if len(set(kinds)) > 1 else f"The {synthetic}" if any(kinds) else real
    return f"{what}. A curve along the diagonal belongs to a shift that the score does not detect."


def severity(result: Evaluation) -> str:
    """Caption of the AUROC by severity."""
    if any(shift.harm is not None and shift.harm.cell for shift in result.shifts):
        return (
            "AUROC of each degradation, with dots where it hurts the segmentation. A low line without dots is a degradation "
            "that the network copes with."
        )
    return "AUROC of each degradation. None is known to hurt the segmentation at these severities."


def harm(result: Evaluation) -> str:
    """Caption of the shares that hurt and are flagged."""
    named = "; those named, in orange, are blind spots" if result.blind_spots else ""
    return f"A point for each shift{named}. Below the dotted line more frames hurt than are flagged."


def risk(result: Evaluation) -> str:
    """Caption of the error of the frames that are accepted."""
    others = {failure.score_name for failure in result.failures[1:]}
    words = ["this monitor"]
    words += ["the best other scores"] if others - {BASELINE} else []
    words += ["the picture alone"] if BASELINE in others else []
    what = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    return (
        f"Mean error of the frames that are accepted, the lowest scores first, by {what}. A curve below the dotted line "
        "helps; none can lie below the dashed one."
    )
