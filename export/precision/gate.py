# SPDX-License-Identifier: Apache-2.0
"""The gate of a monitor of fewer bits: does it still decide as it did in float32, on familiar frames and on spoilt ones?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.detectors.auroc import auroc
from export.frames.files import FrameFiles
from export.graphs.monitor_forms import Form
from export.graphs.noise import NoiseSource
from export.precision.options import PrecisionLoss
from export.reporter import Reporter

SHIFTS = (("fog", 1), ("night", 1), ("sun_flare", 2), ("mud", 3), ("sensor_noise", 3), ("defocus", 2), ("rain", 1))
"""Mild ones: a frame that is far beyond every threshold flips none."""
FRAMES = 24


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What one monitor says of the frames of the gate.

    Attributes:
        scores: ``(n,)`` float64, set by set.
        flagged: ``(n,)`` whether each is above the threshold.
        classes: class maps of the familiar frames; empty without a segmentation.
    """

    scores: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    classes: Sequence[NDArray[np.uint8]]


class PrecisionGate:
    """Frames that every monitor of the gate is asked about: held-out ones, and each of them spoilt in mild ways.

    Args:
        files: in-distribution frames.
        held_out: indices of those that no detector was fitted on.
        noise: for masks that are not fixed; each frame's is drawn once, so that every monitor gets the same.
        seed: of the shifts.
        reporter: told how far the loop over the frames has come.
    """

    def __init__(
        self,
        files: FrameFiles,
        held_out: NDArray[np.int64],
        noise: NoiseSource,
        seed: int,
        reporter: Reporter,
    ) -> None:
        spread = np.linspace(0, len(held_out) - 1, min(FRAMES, len(held_out))).round().astype(int)
        chosen = tuple(int(i) for i in held_out[spread])
        self.sets = [FrameSource("familiar", files, chosen)]
        self.sets += [FrameSource(kind, files, chosen, kind, severity, seed) for kind, severity in SHIFTS]
        self._noise = [noise.draw() for _ in range(len(self))]
        self._reporter = reporter

    def __len__(self) -> int:
        return sum(map(len, self.sets))

    def ask(self, monitor: Form, threshold: float) -> Verdicts:
        """Take every frame through a monitor."""
        familiar = len(self.sets[0])
        frames = (source[i] for source in self.sets for i in range(len(source)))
        scores, classes = [], []
        for frame, noise in zip(
            self._reporter.progress(frames, "comparing decisions", len(self)), self._noise, strict=True
        ):
            outputs = monitor(frame[None], noise)
            scores.append(float(outputs["score"][0]))
            if "segmentation" in outputs and len(scores) <= familiar:
                segmentation = outputs["segmentation"][0]
                classes.append(segmentation if segmentation.ndim == 2 else segmentation.argmax(axis=0).astype(np.uint8))
        return Verdicts(np.array(scores), np.array(scores) > threshold, classes)

    def loss(self, verdicts: Verdicts, float32: Verdicts) -> PrecisionLoss:
        """What a monitor lost against the same one in float32."""
        changes = [
            float((ours != theirs).mean()) for ours, theirs in zip(verdicts.classes, float32.classes, strict=True)
        ]
        return PrecisionLoss(
            len(self),
            float((verdicts.flagged != float32.flagged).mean()),
            self._auroc(float32) - self._auroc(verdicts),
            float(np.mean(changes)) if changes else 0.0,
        )

    def _auroc(self, verdicts: Verdicts) -> float:
        """Mean over the shifts."""
        familiar, *shifts = np.split(verdicts.scores, np.cumsum([len(source) for source in self.sets])[:-1])
        return float(np.mean([auroc(familiar, shift) for shift in shifts]))
