# SPDX-License-Identifier: Apache-2.0
"""Compare every form of a monitor with the PyTorch network on real frames, and refuse a bundle that differs.

The reference shares no code with the graphs: S eager passes with one mask each, entropies in float64, other features by
NumPy from what hooks read of the network, and the detector's own float64 form.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bundle.feature_parity import FeatureReference
from export.bundle.logits_reference import LogitsReference
from export.detectors.entropy import latent_entropy
from export.detectors.fitted import FittedDetector
from export.detectors.fused import Fused
from export.errors import ParityError
from export.features.key import FeatureKey
from export.graphs.monitor_forms import Form, MonitorOutputs
from export.graphs.noise import NoiseBatch, NoiseSource
from lsood_runtime.offline import ParityRecord

LATENT_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-3
LOGIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ReferenceMonitor:
    """The PyTorch network with detector, computed without any graph.

    Attributes:
        preprocess: ``(B, H, W, 3)`` uint8 to the network's input.
        segment: the network: its input to what it returns for each class and the frame alone, ``(B, K, h, w)``.
        sample: the network's input, and noise for masks that are not fixed, to latent samples ``(B, S, C)``, by S passes.
        features: computes those that the detector reads, but for the entropies.
        detector: features to scores, in float64.
        neighbors: k of the entropy.
        kind: ``classes``, ``logits`` or ``none``.
        logits: of what the network returns.
    """

    preprocess: Callable[[Tensor], Tensor]
    segment: Callable[[Tensor], Tensor]
    sample: Callable[[Tensor, Sequence[Tensor]], Tensor]
    features: FeatureReference
    detector: FittedDetector
    neighbors: int
    kind: str
    logits: LogitsReference = field(default_factory=LogitsReference)

    def __call__(self, frames: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        """Compute the outputs that a form must give."""
        with torch.inference_mode():
            images = self.preprocess(torch.from_numpy(frames))
            samples = self.sample(images, [torch.from_numpy(values) for values in noise]).numpy()
            logits = None if self.kind == "none" else self.logits(self.segment(images).numpy())
        outputs: dict[str, NDArray[Any]] = {"latent_samples": samples}
        if logits is not None:
            outputs["segmentation"] = logits.argmax(axis=1) if self.kind == "classes" else logits
        values = [self.features.values(frame[None]) for frame in frames]
        features = {key: np.stack([value[key] for value in values]) for key in self.features.features}
        features[FeatureKey.entropy()] = latent_entropy(samples, self.neighbors)
        outputs["score"] = self.detector.score(features)
        if isinstance(self.detector, Fused):
            outputs["parts"] = self.detector.part_scores(features)
        return outputs


def measure_parity(
    reference: ReferenceMonitor,
    forms: Sequence[Form],
    frames: Iterable[NDArray[np.uint8]],
    noise: NoiseSource,
) -> ParityRecord:
    """Run every form over frames and keep the largest differences from the reference.

    The frames go one by one, then the first two in one batch, to find a network that mixes the frames of a batch.

    Args:
        reference: the PyTorch network.
        forms: of the monitor.
        frames: each ``(H, W, 3)`` uint8.
        noise: for masks that are not fixed, frame by frame.

    Returns:
        Differences of the latent samples as shares of the largest one; of the segmentation as the share of pixels of another
        class, or for logits as a share of the largest one, 0 where the graph gives no segmentation; of the score, and of the
        share of any part, in the unit of the score.
    """
    cases = [(frame[None], noise.draw()) for frame in map(np.array, frames)]
    expected = [reference(*case) for case in cases]
    differences = [
        _difference(form(*case), right, reference.kind)
        for form in forms
        for case, right in zip(cases, expected, strict=True)
    ]
    if len(cases) > 1:
        pair = np.concatenate([frames for frames, _ in cases[:2]])
        together = [np.concatenate(values) for values in zip(*(noise for _, noise in cases[:2]), strict=True)]
        right = {name: np.concatenate([outputs[name] for outputs in expected[:2]]) for name in expected[0]}
        differences += [_difference(form(pair, together), right, reference.kind) for form in forms]
    latent, segmentation, score = (float(worst) for worst in np.array(differences).max(axis=0))
    return ParityRecord(
        frames=len(cases), latent_max_abs=latent, segmentation_disagreement=segmentation, score_max_abs=score
    )


def _difference(got: MonitorOutputs, expected: MonitorOutputs, kind: str) -> tuple[float, float, float]:
    """Differences of latent samples, segmentation and score, as in :class:`ParityRecord`, of what the form gives."""
    latent = _relative(got["latent_samples"], expected["latent_samples"]) if "latent_samples" in got else 0.0
    segmentation = 0.0
    if kind == "classes":
        segmentation = float((got["segmentation"] != expected["segmentation"]).mean(axis=(1, 2)).max())
    elif kind == "logits":
        segmentation = _relative(got["segmentation"], expected["segmentation"])
    scores = [np.abs(got[name] - expected[name]).max() for name in ("score", "parts") if name in got]
    return latent, segmentation, float(max(scores, default=0.0))


def check_parity(parity: ParityRecord, kind: str, score_tolerance: float) -> None:
    """Refuse a monitor whose differences are above their tolerances.

    Args:
        parity: the measured differences.
        kind: form of the segmentation.
        score_tolerance: see :attr:`export.calibration.calibrate.CalibrationResult.tolerance`.

    Raises:
        ParityError: a difference is above its tolerance, or is not a number.
    """
    segmentation_tolerance = PIXEL_TOLERANCE if kind == "classes" else LOGIT_TOLERANCE
    for name, value, tolerance in (
        ("latent samples (share of the largest)", parity.latent_max_abs, LATENT_TOLERANCE),
        (f"segmentation {kind} (share)", parity.segmentation_disagreement, segmentation_tolerance),
        ("score", parity.score_max_abs, score_tolerance),
    ):
        if not value <= tolerance:
            raise ParityError(
                f"expected differences of at most {tolerance:.3g}, the exported graph disagrees with the PyTorch network "
                f"over {parity.frames} frames: {name} differ by {value:.3g}; no bundle was written: check that the network "
                "is free of randomness in evaluation mode and treats every frame of a batch alike"
            )


def check_agreement(forms: Sequence[Form], frame: NDArray[np.uint8], noise: NoiseBatch, tolerance: float) -> None:
    """Check that several forms of one monitor give a frame ``(H, W, 3)`` the same score.

    Raises:
        ParityError: two scores are further apart than ``tolerance``.
    """
    scores = [float(form(frame[None], noise)["score"][0]) for form in forms]
    apart = float(np.ptp(scores))  # NaN where one score is
    if not apart <= tolerance:
        raise ParityError(
            f"expected the same score of every form of the monitor, got a difference of {apart:.3g}, allowed is "
            f"{tolerance:.3g}; no bundle was written: leave --fuse out"
        )


def _relative(got: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float(np.abs(got - expected).max() / max(float(np.abs(expected).max()), 1e-12))
