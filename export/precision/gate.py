# SPDX-License-Identifier: Apache-2.0
"""Gate for a monitor of fewer bits: compare its decisions with float32's on frames left out of its fit, clean or degraded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.detectors.auroc import auroc
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.graphs.monitor_forms import Form, class_maps
from export.graphs.noise import NoiseSource
from export.precision.options import PrecisionLoss
from export.reporter import Reporter

SHIFTS = (("fog", 1), ("night", 1), ("sun_flare", 2), ("mud", 3), ("sensor_noise", 3), ("defocus", 2), ("rain", 1))
"""Kinds of degradation with their severities, mild ones: a frame far beyond every threshold changes no decision."""
FRAMES = 24

_HIGHEST = float(np.finfo(np.float64).max)
"""Above every threshold, and finite, as an AUROC demands."""


@dataclass(frozen=True, eq=False)
class GateDecisions:
    """Scores and decisions of one monitor on the frames of the gate.

    Attributes:
        scores: ``(n,)`` float64, set by set.
        flagged: ``(n,)`` whether each score is above the threshold.
        classes: class maps of the frames that are not degraded; empty without a segmentation.
    """

    scores: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    classes: Sequence[NDArray[np.integer]]


class PrecisionGate:
    """The frames on which monitors are compared: left out of the fit of their detectors, clean and mildly degraded.

    Args:
        files: in-distribution frames.
        left_out: indices of those that the detectors of the compared monitors were not fitted on.
        noise: for masks that are not fixed; each frame's is drawn once, so that every monitor gets the same.
        seed: of the degradations.
        reporter: told how far the loop over the frames has come.
    """

    def __init__(
        self,
        files: FrameFiles,
        left_out: NDArray[np.int64],
        noise: NoiseSource,
        seed: int,
        reporter: Reporter,
    ) -> None:
        chosen = tuple(map(int, evenly_spaced(left_out, FRAMES)))
        self.sets = [FrameSource("in distribution", files, chosen)]
        self.sets += [FrameSource(kind, files, chosen, kind, severity, seed) for kind, severity in SHIFTS]
        self._noise = [noise.draw() for _ in range(len(self))]
        self._reporter = reporter

    def __len__(self) -> int:
        return sum(map(len, self.sets))

    def decide(self, monitor: Form, threshold: float) -> GateDecisions:
        """Run a monitor on every frame; a score that is not finite counts as the highest, as in the runtime.

        Args:
            monitor: from frames to outputs.
            threshold: score above which a frame is flagged.
        """
        in_distribution = len(self.sets[0])
        frames = (source[i] for source in self.sets for i in range(len(source)))
        scores: list[float] = []
        classes: list[NDArray[np.integer]] = []
        shown = self._reporter.progress(frames, "comparing decisions", len(self))
        for frame, noise in zip(shown, self._noise, strict=True):
            outputs = monitor(frame[None], noise)
            score = float(outputs["score"][0])
            scores.append(score if math.isfinite(score) else _HIGHEST)
            if "segmentation" in outputs and len(scores) <= in_distribution:
                classes.append(class_maps(outputs["segmentation"])[0])
        return GateDecisions(scores=np.array(scores), flagged=np.array(scores) > threshold, classes=classes)

    def loss(self, decisions: GateDecisions, float32: GateDecisions) -> PrecisionLoss:
        """Compare the decisions of a monitor with those of the same one in float32."""
        changes = [
            float((ours != theirs).mean()) for ours, theirs in zip(decisions.classes, float32.classes, strict=True)
        ]
        return PrecisionLoss(
            frames=len(self),
            flips=float((decisions.flagged != float32.flagged).mean()),
            auroc_loss=self._auroc(float32) - self._auroc(decisions),
            pixel_changes=float(np.mean(changes)) if changes else 0.0,
        )

    def _auroc(self, decisions: GateDecisions) -> float:
        """Mean over the kinds of degradation."""
        ind, *shifts = np.split(decisions.scores, np.cumsum([len(source) for source in self.sets])[:-1])
        return float(np.mean([auroc(ind, shift) for shift in shifts]))
