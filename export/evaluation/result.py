# SPDX-License-Identifier: Apache-2.0
"""Result of an evaluation, read by the table, the report and the model card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.evaluation.bootstrap import Interval
from export.evaluation.drive_alarms import DriveAlarms
from export.evaluation.failure_prediction import FailurePrediction
from export.evaluation.options import EvaluationOptions
from export.evaluation.scored_sets import FrameSet
from export.evaluation.shown_frames import ShownFrame
from lsood_runtime import Manifest
from lsood_runtime.offline import finite_or_none

BLIND = 0.8
"""AUROC below which a shift is a blind spot."""


@dataclass(frozen=True, eq=False)
class Shift:
    """Out-of-distribution frames against the in-distribution ones.

    Attributes:
        frames: the set.
        figures: of the bundle's own score, by ``export.evaluation.ood_metrics.FIGURES``.
        peers: AUROC of other scores on the same frames, by name.
        fitted_on: whether the detector was fitted on frames of the set, so that its figures are no evidence.
    """

    frames: FrameSet
    figures: Mapping[str, Interval]
    peers: Mapping[str, float]
    fitted_on: bool

    @property
    def name(self) -> str:
        """Name of the set, marked where the detector was fitted on it."""
        return f"{self.frames.source.name} (fitted on)" if self.fitted_on else self.frames.source.name


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of an evaluation, as a report shows it.

    ``calibration_frames`` counts the in-distribution frames that fitted the detector or set its thresholds: their figures are
    better than those of new frames. ``drive_alarms`` are those of the in-distribution drives; none of a single one.
    """

    options: EvaluationOptions
    manifest: Manifest
    operating_point: str
    created: str
    ind: FrameSet
    false_alarm_rate: Interval
    drive_alarms: tuple[DriveAlarms, ...]
    calibration_frames: int
    shifts: tuple[Shift, ...]
    failures: tuple[FailurePrediction, ...]
    accepted_iou: float | None
    highest_scores: tuple[ShownFrame, ...]
    lowest_scores: tuple[ShownFrame, ...]

    @property
    def threshold(self) -> float:
        """Threshold of the operating point."""
        return self.manifest.operating_points[self.operating_point].value

    @property
    def mostly_flagged(self) -> tuple[DriveAlarms, ...]:
        """In-distribution drives that are flagged on more than half of their frames."""
        return tuple(row for row in self.drive_alarms if row.mostly_flagged)

    @property
    def not_fitted(self) -> tuple[Shift, ...]:
        """Shifts that the detector was not fitted on."""
        return tuple(shift for shift in self.shifts if not shift.fitted_on)

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC over the shifts that the detector was not fitted on; NaN without any."""
        return _mean([shift.figures["auroc"].value for shift in self.not_fitted])

    def mean_peer(self, name: str) -> float:
        """Mean AUROC of another score over the same shifts."""
        return _mean([shift.peers[name] for shift in self.not_fitted])

    @property
    def blind_spots(self) -> tuple[Shift, ...]:
        """Shifts with an AUROC below ``BLIND``."""
        return tuple(shift for shift in self.shifts if shift.figures["auroc"].value < BLIND)

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures; NaN becomes None."""

        def triple(figure: Interval) -> list[float | None]:
            return [finite_or_none(figure.value), finite_or_none(figure.low), finite_or_none(figure.high)]

        return {
            "bundle": self.manifest.name,
            "created": self.created,
            "operating_point": self.operating_point,
            "threshold": self.threshold,
            "ind": {
                "frames": len(self.ind.features),
                "calibration_frames": self.calibration_frames,
                "mean_iou": finite_or_none(self.ind.mean_iou),
                "false_alarm_rate": triple(self.false_alarm_rate),
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
                    "frames": len(shift.frames.features),
                    "fitted_on": shift.fitted_on,
                    "mean_iou": finite_or_none(shift.frames.mean_iou),
                    "figures": {name: triple(figure) for name, figure in shift.figures.items()},
                    "peers": {name: finite_or_none(value) for name, value in shift.peers.items()},
                }
                for shift in self.shifts
            ],
            "failures": [
                {
                    "score": failure.score_name,
                    "spearman": finite_or_none(failure.spearman),
                    "aurc": failure.aurc,
                    "oracle_aurc": failure.oracle_aurc,
                    "random_aurc": failure.random_aurc,
                    "augrc": failure.augrc,
                    "oracle_augrc": failure.oracle_augrc,
                    "random_augrc": failure.random_augrc,
                }
                for failure in self.failures
            ],
            "accepted_mean_iou": finite_or_none(self.accepted_iou),
        }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
