# SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation that the manifest keeps and the model card shows."""

from dataclasses import dataclass

from export.bundle.evaluated_answers import EvaluatedAnswers


@dataclass(frozen=True)
class ShiftRecord:
    """Figures of one shift against the in-distribution frames.

    Attributes:
        name: of the shift.
        frames: how many it has.
        auroc: of the bundle's score.
        miss_rate: share of its frames at or below the threshold.
        mean_iou: of the segmentation on its frames; None without labels.
        hurting_share: share of its frames that hurt the segmentation; None where that is not known.
    """

    name: str
    frames: int
    auroc: float
    miss_rate: float
    mean_iou: float | None
    hurting_share: float | None = None


@dataclass(frozen=True)
class BlindRecord:
    """A blind spot: a shift that hurts the segmentation and that the threshold misses.

    Attributes:
        name: of the shift.
        kind: of degradation; None for a real shift.
        severity: of the degradation; None for a real shift.
        frames: how many of its frames hurt.
        missed: share of these at or below the threshold.
        auroc: of these against the in-distribution frames.
        known_to_hurt: False where it is not known whether they hurt; then all frames of the shift count.
    """

    name: str
    kind: str | None
    severity: int | None
    frames: int
    missed: float
    auroc: float
    known_to_hurt: bool


@dataclass(frozen=True)
class HurtingRecord:
    """Figures of what hurts the segmentation.

    Attributes:
        rule: what hurting means, a sentence.
        frames: how many shifted frames hurt.
        auroc: of these against the in-distribution frames.
        missed: share of them at or below the threshold, with the ends of its interval.
        cells: number of kinds at a severity, or real shifts, that hurt as a whole.
        mean_auroc: over these; None without any.
        worst_kind: kind of the lowest mean AUROC among them; None without any.
        worst_auroc: that mean; None without any.
    """

    rule: str
    frames: int
    auroc: float
    missed: tuple[float, float, float]
    cells: int
    mean_auroc: float | None
    worst_kind: str | None
    worst_auroc: float | None


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
        blind: shifts that hurt and are missed at the threshold, the most missed frames first.
        drives: number of in-distribution drives; 0 where they were not told apart.
        mostly_flagged_drives: number of these flagged on more than half of their frames.
        hurting: figures of what hurts; None where nothing does, or it is not known.
        answers: figures of what the bundle answers beside the score; None where it answers nothing.
    """

    created: str
    operating_point: str
    ind_frames: int
    false_alarm_rate: tuple[float, float, float]
    mean_auroc: float | None
    shifts: tuple[ShiftRecord, ...]
    blind: tuple[BlindRecord, ...]
    drives: int = 0
    mostly_flagged_drives: int = 0
    hurting: HurtingRecord | None = None
    answers: EvaluatedAnswers | None = None
