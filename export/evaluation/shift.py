# SPDX-License-Identifier: Apache-2.0
"""Figures of one shift: out-of-distribution frames against the in-distribution ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from export.evaluation.hurting import Harm
from export.evaluation.interval import Interval
from export.evaluation.scored_sets import FrameSet


@dataclass(frozen=True, eq=False)
class Shift:
    """Out-of-distribution frames against the in-distribution ones.

    Attributes:
        frames: the set.
        figures: of the bundle's own score, by ``export.evaluation.ood_metrics.FIGURES``.
        peers: AUROC of other scores on the same frames, by name.
        mean_iou: of the segmentation on its frames; None without labels.
        fitted_on: whether the detector was fitted on frames of the set, so that its figures are no evidence.
        harm: which frames hurt; None where that is not known.
        missed_of_hurting: share of the frames that hurt at or below the threshold; None where none does, or it is not known.
    """

    frames: FrameSet
    figures: Mapping[str, Interval]
    peers: Mapping[str, float]
    mean_iou: Interval | None
    fitted_on: bool
    harm: Harm | None
    missed_of_hurting: Interval | None = None

    @property
    def name(self) -> str:
        """Name of the set, marked where the detector was fitted on it."""
        return f"{self.frames.source.name} (fitted on)" if self.fitted_on else self.frames.source.name

    @property
    def mean_agreement(self) -> float | None:
        """Mean share of pixels of the clean frames' class; None for clean frames or without a segmentation."""
        losses = self.frames.losses
        return None if losses is None or losses.agreement is None else float(losses.agreement.mean())

    @property
    def hurting_share(self) -> float | None:
        """Share of the frames that hurt; None where that is not known."""
        return None if self.harm is None else float(self.harm.frames.mean())
