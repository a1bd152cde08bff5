# SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation that the manifest keeps and the model card shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ShiftRecord:
    """Figures of one shift against the in-distribution frames.

    Attributes:
        name: of the shift.
        frames: how many it has.
        auroc: of the bundle's score.
        miss_rate: share of its frames at or below the threshold.
        mean_iou: of the segmentation on its frames; None without labels.
    """

    name: str
    frames: int
    auroc: float
    miss_rate: float
    mean_iou: float | None


@dataclass(frozen=True)
class EvaluationRecord:
    """The figures of one evaluation; a manifest holds them as JSON under ``evaluation``.

    Attributes:
        created: time of the evaluation, ISO 8601.
        operating_point: name of the one whose threshold counts.
        ind_frames: number of in-distribution frames.
        false_alarm_rate: share of them above the threshold, with the ends of its interval.
        mean_auroc: over the shifts that no detector was fitted on; None without any.
        shifts: every shift.
        blind: names of the shifts with an AUROC too low to call them detected.
    """

    created: str
    operating_point: str
    ind_frames: int
    false_alarm_rate: tuple[float, float, float]
    mean_auroc: float | None
    shifts: tuple[ShiftRecord, ...]
    blind: tuple[str, ...]
