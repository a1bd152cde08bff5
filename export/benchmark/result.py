# SPDX-License-Identifier: Apache-2.0
"""Result of a benchmark: a row for each set, what was skipped and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from export.benchmark.options import BenchmarkOptions
from export.benchmark.prepare import PreparedSet
from export.evaluation.mask_judge import MaskFigures
from export.evaluation.picture_baseline import NAME as BASELINE
from export.evaluation.result import Evaluation
from export.evaluation.shift import Shift
from lsood_runtime.offline import finite_or_none


class SkippedDataset(NamedTuple):
    """A data set without figures.

    Attributes:
        name: of it.
        reason: why, with a remedy.
        missing: whether it is not there at all.
    """

    name: str
    reason: str
    missing: bool


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """Figures of a bundle on data sets.

    Attributes:
        options: of the benchmark.
        evaluation: with all figures.
        ind: the frames in distribution.
        sets: the frames of each shift of the evaluation, in its order.
        skipped: data sets without figures.
        labels: why no class map was compared with labels; None where some were.
        masks: why no anomaly map was compared with masks; None where some were.
    """

    options: BenchmarkOptions
    evaluation: Evaluation
    ind: PreparedSet
    sets: tuple[PreparedSet, ...]
    skipped: tuple[SkippedDataset, ...]
    labels: str | None
    masks: str | None

    def rows(self) -> Iterator[tuple[PreparedSet, Shift, MaskFigures | None]]:
        """Each set with its figures, and with those of its pixels where it has masks."""
        masks = {figures.set_name: figures for figures in self.evaluation.masks}
        for prepared, shift in zip(self.sets, self.evaluation.shifts, strict=True):
            yield prepared, shift, masks.get(prepared.name)

    @property
    def has_baseline(self) -> bool:
        """Whether the picture alone was judged beside."""
        return BASELINE in self.evaluation.ind.peers

    @property
    def has_labels(self) -> bool:
        """Whether the frames of a shift were compared with labels."""
        return any(shift.frames.mean_iou is not None for shift in self.evaluation.shifts)

    def asdict(self) -> dict[str, object]:
        """JSON-ready figures."""
        return {
            "bundle": self.evaluation.manifest.name,
            "ind": {**_frames(self.ind), "frames_of_the_calibration": self.evaluation.calibration_frames},
            "resize": self.options.resize,
            "sets": [
                {
                    **_frames(prepared),
                    "auroc": finite_or_none(shift.figures["auroc"].value),
                    "fpr95": finite_or_none(shift.figures["ind_flagged@95_ood_caught"].value),
                    "missed": finite_or_none(shift.figures["miss_rate"].value),
                    "picture_alone_auroc": finite_or_none(shift.peers.get(BASELINE)),
                    "mean_iou": finite_or_none(shift.frames.mean_iou),
                    "pixels": None if masks is None else masks.asdict(),
                }
                for prepared, shift, masks in self.rows()
            ],
            "skipped": [skipped._asdict() for skipped in self.skipped],
            "labels_not_compared": self.labels,
            "masks_not_compared": self.masks,
            "evaluation": self.evaluation.asdict(),
        }


def _frames(prepared: PreparedSet) -> dict[str, object]:
    return {
        "set": prepared.name,
        "dataset": prepared.choice.layout.name,
        "split": prepared.choice.split,
        "frames": prepared.frames,
        "drives": prepared.drives,
        "resized": prepared.resized,
    }
