# SPDX-License-Identifier: Apache-2.0
"""The gate between conversion and bundle: the graphs must do what the PyTorch network does, on real frames.

The reference is computed the long way, with nothing of the graphs in it: S eager passes with one mask each, entropies in
float64, and the density by scipy's sum over the calibration points.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import Tensor

from export.entropy import latent_entropy
from export.errors import ParityError

LATENT_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-3
LOGIT_TOLERANCE = 1e-3
SCORE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Parity:
    """Largest differences between PyTorch and ONNX Runtime over some frames.

    Attributes:
        frames: how many frames were compared.
        latent_max_abs: of the latent samples, as a share of the largest latent sample.
        segmentation_disagreement: share of pixels of another class; for logits the largest difference as a share of the
            largest logit; 0 where the graph gives no segmentation.
        score_max_abs: of the score, nats.
    """

    frames: int
    latent_max_abs: float
    segmentation_disagreement: float
    score_max_abs: float


@dataclass(frozen=True)
class Reference:
    """The PyTorch side of the comparison.

    Attributes:
        preprocess: ``(B, H, W, 3)`` uint8 to the network's input.
        segment: the network's input to logits ``(B, K, h, w)``.
        sample: the network's input to latent samples ``(B, S, C)``, by S passes.
        detector: entropies to log-densities.
        neighbors: k of the entropy.
        kind: ``classes``, ``logits`` or ``none``.
    """

    preprocess: Callable[[Tensor], Tensor]
    segment: Callable[[Tensor], Tensor]
    sample: Callable[[Tensor], Tensor]
    detector: Pipeline
    neighbors: int
    kind: str


def measure_parity(
    reference: Reference,
    segmentation: ort.InferenceSession,
    detector: ort.InferenceSession,
    frames: Iterable[NDArray[np.uint8]],
) -> Parity:
    """Run both sides over ``frames`` and keep the largest differences."""
    latent, disagreement, score, count = 0.0, 0.0, 0.0, 0
    for frame in frames:
        outputs = dict(
            zip(
                [o.name for o in segmentation.get_outputs()],
                segmentation.run(None, {"frame": frame[None]}),
                strict=True,
            )
        )
        (got_score,) = detector.run(["score"], {"latent_samples": outputs["latent_samples"]})
        with torch.inference_mode():
            images = reference.preprocess(torch.from_numpy(np.array(frame))[None])
            samples = reference.sample(images).numpy()
            logits = reference.segment(images).numpy() if reference.kind != "none" else None
        entropy = latent_entropy(samples, reference.neighbors)
        latent = max(latent, _relative(outputs["latent_samples"], samples))
        score = max(score, float(np.abs(got_score + reference.detector.score_samples(entropy)).max()))
        if logits is not None and reference.kind == "classes":
            disagreement = max(disagreement, float((outputs["segmentation"] != logits.argmax(axis=1)).mean()))
        elif logits is not None:
            disagreement = max(disagreement, _relative(outputs["segmentation"], logits))
        count += 1
    return Parity(count, latent, disagreement, score)


def check_parity(parity: Parity, kind: str, score_spread: float) -> None:
    """Let a bundle pass, or not.

    Args:
        parity: what was measured.
        kind: form of the segmentation.
        score_spread: interquartile range of the scores of in-distribution frames, nats; the score may differ by a fiftieth
            of it, which moves no frame past another that an operator would tell apart.

    Raises:
        ParityError: a difference is above its tolerance, or is not a number.
    """
    segmentation_tolerance = PIXEL_TOLERANCE if kind == "classes" else LOGIT_TOLERANCE
    score_tolerance = max(SCORE_TOLERANCE * score_spread, 1e-3)
    for name, value, tolerance in (
        ("latent samples (share of the largest)", parity.latent_max_abs, LATENT_TOLERANCE),
        (f"segmentation {kind} (share)", parity.segmentation_disagreement, segmentation_tolerance),
        ("score (nats)", parity.score_max_abs, score_tolerance),
    ):
        if not value <= tolerance:
            raise ParityError(
                f"the exported graph disagrees with the PyTorch network over {parity.frames} frames: {name} differ by "
                f"{value:.3g}, allowed is {tolerance:.3g}; no bundle was written. Is the network in evaluation mode free "
                "of randomness, and does it treat every frame alike?"
            )


def _relative(got: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float(np.abs(got - expected).max() / max(float(np.abs(expected).max()), 1e-12))
