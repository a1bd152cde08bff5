# SPDX-License-Identifier: Apache-2.0
"""Result of an evaluation, read by the table, the report and the model card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.evaluation.bootstrap import Interval
from export.evaluation.failure_prediction import FailurePrediction
from export.evaluation.options import EvaluationOptions
from export.evaluation.scored_sets import FrameSet
from lsood_runtime import Manifest
from lsood_runtime.offline import finite_or_none

Bytes = NDArray[np.uint8]

BLIND = 0.8
"""AUROC below which a shift is called unseen."""


@dataclass(frozen=True, eq=False)
class Shift:
    """Out-of-distribution frames against the in-distribution ones.

    Attributes:
        frames: the set.
        figures: of the bundle's own score, by ``export.evaluation.ood_metrics.FIGURES``.
        peers: AUROC of other scores on the same frames, by name.
        fitted_on: frames of the set fitted the detector: what it says of them is no evidence.
    """

    frames: FrameSet
    figures: Mapping[str, Interval]
    peers: Mapping[str, float]
    fitted_on: bool

    @property
    def name(self) -> str:
        """Of the set, and that the detector was fitted on it where it was."""
        return f"{self.frames.source.name} (fitted on)" if self.fitted_on else self.frames.source.name


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame worth looking at: RGB image and class map, if the bundle gives one."""

    set_name: str
    frame_name: str
    score: float
    p_value: float
    image: Bytes
    classes: Bytes | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that a report shows.

    ``calibration_frames`` counts the in-distribution frames that fitted the detector or set its thresholds: the evaluation is
    no evidence as far as it rests on these.
    """

    options: EvaluationOptions
    manifest: Manifest
    operating_point: str
    created: str
    ind: FrameSet
    false_alarm_rate: Interval
    calibration_frames: int
    shifts: tuple[Shift, ...]
    failures: tuple[FailurePrediction, ...]
    accepted_iou: float | None
    strangest: tuple[Moment, ...]
    most_familiar: tuple[Moment, ...]

    @property
    def threshold(self) -> float:
        """Of the operating point."""
        return self.manifest.operating_points[self.operating_point].value

    @property
    def unseen(self) -> tuple[Shift, ...]:
        """Shifts that did not fit the detector."""
        return tuple(shift for shift in self.shifts if not shift.fitted_on)

    @property
    def mean_auroc(self) -> float:
        """Over shifts that did not fit the detector; NaN without any."""
        return float(np.mean([shift.figures["auroc"].value for shift in self.unseen])) if self.unseen else float("nan")

    def mean_peer(self, name: str) -> float:
        """Mean AUROC of another score over the same shifts."""
        return float(np.mean([shift.peers[name] for shift in self.unseen])) if self.unseen else float("nan")

    @property
    def blind(self) -> tuple[Shift, ...]:
        """Shifts with an AUROC below ``BLIND``."""
        return tuple(shift for shift in self.shifts if shift.figures["auroc"].value < BLIND)

    def asdict(self) -> dict[str, Any]:
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
                }
                for failure in self.failures
            ],
            "accepted_mean_iou": finite_or_none(self.accepted_iou),
        }
