# SPDX-License-Identifier: Apache-2.0
"""The PyTorch network with detector, computed without any graph: what every form of a monitor is compared with.

It shares no code with the graphs: S eager passes with one mask each, entropies in float64, other features by NumPy from what
hooks read of the network, and the detector's own float64 form.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bundle.feature_parity import FeatureReference
from export.bundle.float64_network import in_float64
from export.detectors.entropy import latent_entropy
from export.detectors.fitted import FittedDetector
from export.detectors.fused import Fused
from export.features.key import FeatureKey
from export.graphs.monitor_forms import MonitorOutputs
from export.graphs.noise import NoiseBatch


@dataclass(frozen=True, eq=False)
class ExpectedOutputs:
    """What a form must give of one frame.

    Attributes:
        samples: ``(S, C)`` latent samples.
        classes: ``(h, w)`` the most likely class of each pixel; None where no segmentation is given.
        margins: ``(h, w)`` float32, by how much the logit of that class is above the next one; None likewise.
        logits: ``(K, h, w)`` where the segmentation is of kind ``logits``, else None.
        largest_logit: largest magnitude of any logit; 0 where there is none.
        score: of the frame.
        parts: ``(P,)`` of the score; empty where the detector has none.
    """

    samples: NDArray[np.floating]
    classes: NDArray[np.uint16] | None
    margins: NDArray[np.float32] | None
    logits: NDArray[np.floating] | None
    largest_logit: float
    score: float
    parts: NDArray[np.float64]

    def as_outputs(self) -> MonitorOutputs:
        """The same in the form in which a graph gives it, behind a batch of one."""
        outputs: dict[str, NDArray[Any]] = {"latent_samples": self.samples[None], "score": np.array([self.score])}
        segmentation = self.classes if self.logits is None else self.logits
        if segmentation is not None:
            outputs["segmentation"] = segmentation[None]
        if self.parts.size:
            outputs["parts"] = self.parts[None]
        return outputs


@dataclass(frozen=True)
class ReferenceMonitor:
    """The PyTorch network with detector.

    Attributes:
        features: the network, and those features that the detector reads, but for the entropies.
        sample: the network's input, and noise for masks that are not fixed, to latent samples ``(B, S, C)``, by S passes.
        detector: features to scores, in float64.
        neighbors: k of the entropy.
        kind: ``classes``, ``logits`` or ``none``.
    """

    features: FeatureReference
    sample: Callable[[Tensor, Sequence[Tensor]], Tensor]
    detector: FittedDetector
    neighbors: int
    kind: str

    def __call__(self, frame: NDArray[np.uint8], noise: NoiseBatch, *, double: bool = False) -> ExpectedOutputs:
        """Compute what a form must give.

        Args:
            frame: ``(1, H, W, 3)``.
            noise: for masks that are not fixed.
            double: whether the network computes in float64, which shows what of it is rounding.
        """
        with torch.no_grad(), in_float64(self.features.network) if double else nullcontext():
            readings, logits = self.features.read(frame, double=double)
            drawn = [torch.from_numpy(values) for values in noise]
            samples = self.sample(self.features.images(frame, double=double), drawn).numpy()
        of_pass = self.features.of_readings(readings, logits)
        features = {key: value[None] for key, value in of_pass.items()}
        features[FeatureKey.entropy()] = latent_entropy(samples, self.neighbors)
        segmented = logits is not None and self.kind != "none"
        best = torch.from_numpy(logits).topk(2, dim=0).values if segmented else None
        return ExpectedOutputs(
            samples=samples[0],
            classes=logits.argmax(axis=0).astype(np.uint16) if logits is not None and segmented else None,
            margins=None if best is None else (best[0] - best[1]).float().numpy(),
            logits=logits if self.kind == "logits" else None,
            largest_logit=readings.largest_logit,
            score=float(self.detector.score(features)[0]),
            parts=self.detector.part_scores(features)[0] if isinstance(self.detector, Fused) else np.zeros(0),
        )
