# SPDX-License-Identifier: Apache-2.0
"""Find the blind spots: shifts that hurt the segmentation and that the threshold misses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.detectors.auroc import auroc
from export.evaluation.scored_sets import Scores
from export.evaluation.shift import Shift

MISSED = 0.2
"""Share of the frames that hurt above which a shift is a blind spot when the threshold misses it."""

FEW_HURT = 0.1
"""Share of a shift's frames that hurt below which the shift is no blind spot."""


@dataclass(frozen=True)
class BlindSpot:
    """A shift that hurts and is missed.

    Attributes:
        name: of the shift.
        kind: of degradation; None for a real shift.
        severity: of the degradation; None for a real shift.
        known: whether it is known that these frames hurt; where it is not, they are all frames of the shift.
        frames: number of frames that hurt.
        missed: share of them at or below the threshold.
        auroc: of the same frames against the in-distribution ones.
        mean_iou: of the whole shift; None without labels.
    """

    name: str
    kind: str | None
    severity: int | None
    known: bool
    frames: int
    missed: float
    auroc: float
    mean_iou: float | None

    @property
    def sentence(self) -> str:
        """The blind spot in a few words."""
        what = "frames that hurt" if self.known else "frames, of which it is not known whether they hurt"
        iou = "" if self.mean_iou is None else f", mIoU {self.mean_iou:.3f}"
        return f"{self.name} ({self.missed:.0%} of {self.frames} {what}, AUROC {self.auroc:.2f}{iou})"


def blind_spots(ind: Scores, shifts: Sequence[Shift], threshold: float) -> tuple[BlindSpot, ...]:
    """List the shifts of whose hurting frames the threshold misses more than ``MISSED``, most missed frames first.

    Those that are known to hurt come before the others.

    A shift of which less than ``FEW_HURT`` of the frames hurt is none. One of which it is not known whether it hurts counts
    as if all of its frames did.

    Args:
        ind: ``(n,)`` scores of the in-distribution frames.
        shifts: against them.
        threshold: of the operating point.
    """
    found: list[BlindSpot] = []
    for shift in shifts:
        source, score = shift.frames.source, shift.frames.score
        hurt = np.ones(len(score), np.bool_) if shift.harm is None else shift.harm.frames
        missed = float((score[hurt] <= threshold).mean()) if hurt.any() else 0.0
        if hurt.mean() >= FEW_HURT and missed > MISSED:
            area = auroc(ind, score[hurt])
            found.append(
                BlindSpot(
                    shift.name,
                    source.kind,
                    source.severity,
                    shift.harm is not None,
                    int(hurt.sum()),
                    missed,
                    area,
                    shift.frames.mean_iou,
                )
            )
    return tuple(sorted(found, key=lambda spot: (not spot.known, -spot.missed * spot.frames)))
