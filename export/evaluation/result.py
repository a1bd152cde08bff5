# SPDX-License-Identifier: Apache-2.0
"""Result of an evaluation, read by the table, the report and the model card."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from export.bundle.writer import CARD_FILE
from export.evaluation.answer_figures import AnswerFigures
from export.evaluation.answer_values import answer_figure_values
from export.evaluation.blind_spots import BlindSpot, blind_spots
from export.evaluation.drive_alarms import DriveAlarms
from export.evaluation.failure_prediction import FailurePrediction
from export.evaluation.hurting_split import CellGroup, FrameGroup, HurtingSplit
from export.evaluation.interval import Interval
from export.evaluation.mask_judge import MaskFigures
from export.evaluation.object_rate import ObjectRate
from export.evaluation.options import EvaluationOptions, HurtingRule
from export.evaluation.reliability_judge import Reliability
from export.evaluation.scored_sets import FrameSet
from export.evaluation.shift import Shift
from export.evaluation.shown_frames import ShownFrame
from export.evaluation.shown_masks import ShownMask
from lsood_runtime import Manifest
from lsood_runtime.offline import finite_or_none


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of an evaluation, as a report shows it.

    ``calibration_frames`` counts the in-distribution frames that fitted the detector or set its thresholds: their figures are
    better than those of new frames. ``ind_iou`` is the mIoU of the in-distribution frames; None without labels.
    ``drive_alarms`` are those of the in-distribution drives; none of a single one. ``split`` tells what hurts from what does
    not by ``hurting_rule``; None where that is not known of any shift. ``answers`` are figures of what the bundle answers
    beside the score; None where it answers nothing. ``object_rate`` tells how many of the in-distribution frames show an
    unknown object; None where the bundle tells none. ``masks`` are figures of each set with masks. ``reliability`` tells how
    far confidence and accuracy are apart, in distribution first; nothing without labels of these frames or a map of logits.
    """

    options: EvaluationOptions
    manifest: Manifest
    operating_point: str
    created: str
    ind: FrameSet
    false_alarm_rate: Interval
    ind_iou: Interval | None
    drive_alarms: tuple[DriveAlarms, ...]
    calibration_frames: int
    shifts: tuple[Shift, ...]
    hurting_rule: HurtingRule
    split: HurtingSplit | None
    failures: tuple[FailurePrediction, ...]
    accepted_iou: float | None
    highest_scores: tuple[ShownFrame, ...]
    lowest_scores: tuple[ShownFrame, ...]
    answers: AnswerFigures | None
    object_rate: ObjectRate | None = None
    masks: tuple[MaskFigures, ...] = ()
    shown_masks: tuple[ShownMask, ...] = ()
    reliability: tuple[Reliability, ...] = ()

    @property
    def threshold(self) -> float:
        """Threshold of the operating point."""
        return self.manifest.operating_points[self.operating_point].value

    @property
    def temperature(self) -> float | None:
        """Temperature of the bundle's confidence; None where it has none."""
        record = None if self.manifest.answers is None else self.manifest.answers.confidence
        return None if record is None else record.temperature

    @property
    def mostly_flagged(self) -> tuple[DriveAlarms, ...]:
        """In-distribution drives that are flagged on more than half of their frames."""
        return tuple(row for row in self.drive_alarms if row.mostly_flagged)

    @property
    def not_fitted(self) -> tuple[Shift, ...]:
        """Shifts that the detector was not fitted on."""
        return tuple(shift for shift in self.shifts if not shift.fitted_on)

    def is_stated(self, shift: Shift) -> bool:
        """Whether its figures can be stated: not of one frame, nor against one."""
        return min(len(shift.frames), len(self.ind)) > 1

    @property
    def judged(self) -> tuple[Shift, ...]:
        """Shifts over which means are taken: whose figures can be stated, and that the detector was not fitted on."""
        return tuple(shift for shift in self.not_fitted if self.is_stated(shift))

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC over the judged shifts; NaN without any."""
        return _mean([shift.figures["auroc"].value for shift in self.judged])

    def mean_peer(self, name: str) -> float:
        """Mean AUROC of another score over the same shifts."""
        return _mean([shift.peers[name] for shift in self.judged])

    @cached_property
    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Shifts that hurt and are missed at the threshold."""
        return blind_spots(self.ind.score, self.shifts, self.threshold)

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures; NaN becomes None."""
        own = {} if self.answers is None else {"answers": answer_figure_values(self.answers)}
        objects = {} if self.object_rate is None else _objects(self.object_rate)
        masks = {"masks": [figures.asdict() for figures in self.masks]} if self.masks else {}
        groups = [group.asdict() for group in self.reliability]
        reliability = {"reliability": {"temperature": self.temperature, "sets": groups}} if groups else {}
        return {
            "bundle": self.manifest.name,
            "bundle_files": evaluated_files(self.manifest),
            "created": self.created,
            "operating_point": self.operating_point,
            "threshold": self.threshold,
            "ind": {
                "frames": len(self.ind),
                "calibration_frames": self.calibration_frames,
                "mean_iou": finite_or_none(self.ind.mean_iou),
                "mean_iou_interval": _ends(self.ind_iou),
                "false_alarm_rate": _triple(self.false_alarm_rate),
                "drives": [
                    {"drive": row.drive, "frames": row.frames, "flagged": row.flagged} for row in self.drive_alarms
                ],
            },
            "mean_auroc": finite_or_none(self.mean_auroc),
            "shifts": [
                {
                    "name": shift.frames.source.name,
                    "kind": shift.frames.source.kind,
                    "severity": shift.frames.source.severity,
                    "frames": len(shift.frames),
                    "fitted_on": shift.fitted_on,
                    "mean_iou": finite_or_none(shift.frames.mean_iou),
                    "mean_iou_interval": _ends(shift.mean_iou),
                    "agreement": shift.mean_agreement,
                    "hurts": None if shift.harm is None else shift.harm.cell,
                    "hurting_share": shift.hurting_share,
                    "missed_of_hurting": None if shift.missed_of_hurting is None else _triple(shift.missed_of_hurting),
                    "figures": {name: _triple(figure) for name, figure in shift.figures.items()},
                    "peers": {name: finite_or_none(value) for name, value in shift.peers.items()},
                }
                for shift in self.shifts
            ],
            "hurting": _split(self.hurting_rule, self.split),
            "blind": [asdict(spot) for spot in self.blind_spots],
            "failures": [
                {
                    "score": failure.score_name,
                    "spearman": finite_or_none(failure.spearman.value),
                    "spearman_interval": _ends(failure.spearman),
                    "aurc": failure.aurc.value,
                    "aurc_interval": _ends(failure.aurc),
                    "oracle_aurc": failure.oracle_aurc,
                    "random_aurc": failure.random_aurc,
                    "augrc": failure.augrc.value,
                    "augrc_interval": _ends(failure.augrc),
                    "oracle_augrc": failure.oracle_augrc,
                    "random_augrc": failure.random_augrc,
                }
                for failure in self.failures
            ],
            "accepted_mean_iou": finite_or_none(self.accepted_iou),
            **own,
            **objects,
            **masks,
            **reliability,
        }


def evaluated_files(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of every file of a bundle by name but the model card's, which an evaluation may write anew."""
    return {name: record.sha256 for name, record in manifest.files.items() if name != CARD_FILE}


def _triple(figure: Interval) -> list[float | None]:
    return [finite_or_none(figure.value), finite_or_none(figure.low), finite_or_none(figure.high)]


def _objects(rate: ObjectRate) -> dict[str, object]:
    return {
        "ind_frames_with_objects": None if rate.share is None else _triple(rate.share),
        "ind_frames_counted_for_objects": rate.frames,
        "ind_frames_left_out_for_objects": {"mask_holds_one": rate.holding, "map_unknown": rate.unknown},
    }


def _ends(figure: Interval | None) -> list[float] | None:
    return [figure.low, figure.high] if figure is not None and figure.known else None


def _group(group: FrameGroup | CellGroup | None) -> dict[str, object] | None:
    if group is None:
        return None
    count = {"frames": group.frames} if isinstance(group, FrameGroup) else {"cells": group.cells}
    return {
        **count,
        "auroc": _triple(group.auroc),
        "missed": _triple(group.missed),
        "worst_kind": group.worst_kind,
        "worst_auroc": group.worst_auroc,
        "most_missed_kind": group.most_missed_kind,
        "most_missed": group.most_missed,
    }


def _split(rule: HurtingRule, split: HurtingSplit | None) -> dict[str, object] | None:
    if split is None:
        return None
    return {
        "rule": rule,
        "hurting_frames": _group(split.hurting_frames),
        "harmless_frames": _group(split.harmless_frames),
        "hurting_cells": _group(split.hurting_cells),
        "harmless_cells": _group(split.harmless_cells),
        "scores": [
            {
                name: value if isinstance(value, str | dict) else finite_or_none(value)
                for name, value in asdict(score).items()
            }
            for score in split.scores
        ],
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
