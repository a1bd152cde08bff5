# SPDX-License-Identifier: Apache-2.0
"""Tell shifts that hurt the segmentation from those that do not, by labels or by agreement with the clean frames' class maps.

A degraded frame is compared with the clean frame that it was made of:

- by ``agreement``: it hurts where its class map agrees with the clean one on less than ``AGREEMENT`` of the pixels;
- by ``labels``: it hurts where its mIoU is more than ``IOU_LOST`` below that of the clean frame.

A cell, which is one kind of degradation at one severity, hurts where its frames do so together: where the mean agreement
is below ``AGREEMENT``, or the mIoU over all frames is more than ``IOU_LOST`` below that of the same frames clean. A real
shift has no clean frames. With labels it is compared as a whole with the in-distribution frames, and its frames hurt all
together or not at all; without labels it is not known whether it hurts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.evaluation.options import HurtingRule
from export.frames.clean_frames import CleanFrames
from export.frames.overlaps import Overlaps, mean_iou

AGREEMENT = 0.85
"""Share of pixels of the clean frame's class map; below it a frame hurts."""

IOU_LOST = 0.1
"""Mean IoU that a frame loses against the clean frame; above it a frame hurts."""


def rule_sentence(rule: HurtingRule) -> str:
    """Say when a frame and a cell hurt."""
    if rule == "agreement":
        return (
            f"A degraded frame hurts where its class map agrees with the clean frame's on less than {AGREEMENT:.0%} of the "
            "pixels; a cell (a kind at a severity) hurts where the mean over its frames is below that."
        )
    return (
        f"A degraded frame hurts where its mIoU is more than {IOU_LOST:g} below the clean frame's; a cell (a kind at a "
        "severity, or a real shift against the in-distribution frames) where the mIoU over all of its frames is."
    )


@dataclass(frozen=True, eq=False)
class Harm:
    """Whether a shift hurts the segmentation.

    Attributes:
        frames: ``(N,)``, whether each frame hurts.
        cell: whether the shift as a whole does.
    """

    frames: NDArray[np.bool_]
    cell: bool


@dataclass(frozen=True, eq=False)
class Losses:
    """What the frames of a degraded set lost against the same frames clean.

    Attributes:
        agreement: ``(N,)`` share of pixels of the same class; None without a segmentation.
        iou_lost: ``(N,)`` mean IoU lost by each frame; None without labels.
        mean_iou_lost: mean IoU over the whole set lost; None without labels.
    """

    agreement: NDArray[np.float64] | None
    iou_lost: NDArray[np.float64] | None
    mean_iou_lost: float | None

    def harm(self, rule: HurtingRule) -> Harm | None:
        """Whether frames and set hurt; None where the rule cannot tell."""
        if rule == "agreement":
            return (
                None
                if self.agreement is None
                else Harm(self.agreement < AGREEMENT, bool(self.agreement.mean() < AGREEMENT))
            )
        if self.iou_lost is None or self.mean_iou_lost is None or not np.isfinite(self.mean_iou_lost):
            return None
        return Harm(self.iou_lost > IOU_LOST, self.mean_iou_lost > IOU_LOST)


def harm_of_real_shift(frames: int, mean_iou: float | None, ind_mean_iou: float | None) -> Harm | None:
    """Whether a real shift hurts, by labels alone; None without them, or where none of their pixels counts."""
    if mean_iou is None or ind_mean_iou is None or not np.isfinite([mean_iou, ind_mean_iou]).all():
        return None
    hurts = ind_mean_iou - mean_iou > IOU_LOST
    return Harm(np.full(frames, hurts), hurts)


def losses_against(
    clean: CleanFrames, indices: tuple[int, ...], agreement: list[float], overlaps: list[Overlaps]
) -> Losses:
    """Compare a degraded set with the clean frames.

    Args:
        clean: the clean frames.
        indices: of those that the set was made of.
        agreement: of each frame; empty without a segmentation.
        overlaps: of each frame with its label; empty without labels.
    """
    before = [clean.overlap(i) for i in indices] if overlaps else []
    return Losses(
        np.array(agreement) if agreement else None,
        np.array([mean_iou([one]) - mean_iou([after]) for one, after in zip(before, overlaps, strict=True)])
        if overlaps
        else None,
        mean_iou(before) - mean_iou(overlaps) if overlaps else None,
    )
