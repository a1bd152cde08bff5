# SPDX-License-Identifier: Apache-2.0
"""Run frames through both graphs of a bundle, over host memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._answers import AnswerRows
from lsood_runtime._bundle.answers_records import ANSWER_OUTPUTS
from lsood_runtime._bundle.records import ENTROPY, LATENT_SAMPLES
from lsood_runtime._exceptions import FrameError, ProviderError
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.graph import Graph
from lsood_runtime._inference.kept_features import join_features, kept_names

SORTED_FIRST = 64
"""Monte-Carlo samples from which numpy's sort pays for itself (benchmarks/NOTES.md)."""

Segmentation = NDArray[np.uint8] | NDArray[np.float32]
"""Classes or logits."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Result of a pass over a batch, in host memory.

    Attributes:
        scores: ``(B,)`` float64.
        segmentation: ``(B, h, w)`` classes or ``(B, K, h, w)`` logits; None where the graph gives none.
        parts: ``(B, P)`` float64, each part's share of the score; None for a detector of one part.
        answers: what the detector's graph gives beside the score; empty where the bundle answers nothing.
        features: ``(B, D)`` float32, those that describe a frame as a whole; None where they are not kept.
    """

    scores: NDArray[np.float64]
    segmentation: Segmentation | None
    parts: NDArray[np.float64] | None = None
    answers: AnswerRows = field(default_factory=dict)
    features: NDArray[np.float32] | None = None


class FramePass(Protocol):
    """A pass from frames to scores; safe to call from several threads."""

    def run(
        self,
        frames: Frame | DeviceFrame,
        noise: Mapping[str, NDArray[np.float32]],
        run_options: ort.RunOptions | None = None,
    ) -> Outcome:
        """Take ``(B, H, W, 3)`` frames and the noise inputs through both graphs, with options of ONNX Runtime.

        Raises:
            FrameError: frames on a device that this pass does not take.
            ProviderError: ONNX Runtime failed.
        """


class HostPass:
    """Runs both graphs from and to host memory; threads that call it at once share ONNX Runtime's thread pool.

    The first batch after a larger one gives the memory of that one back.

    Args:
        network: the graph from frames to segmentation and features.
        detector: the graph from features to scores.
        keep_features: give the features of each frame with its score.
    """

    def __init__(self, network: Graph, detector: Graph, *, keep_features: bool = False) -> None:
        self._network, self._detector, self._keep = network, detector, keep_features
        self._outputs = list(network.outputs)
        asked = [name for name in detector.outputs if keep_features or name != ENTROPY]
        self._scored = {name: detector.outputs[name][1] for name in asked}
        self._last_batch = 0

    def run(
        self,
        frames: Frame | DeviceFrame,
        noise: Mapping[str, NDArray[np.float32]],
        run_options: ort.RunOptions | None = None,
    ) -> Outcome:
        """Take ``(B, H, W, 3)`` frames and the noise inputs through both graphs."""
        if isinstance(frames, DeviceFrame):
            raise FrameError(
                f"expected a frame in host memory, since {self._network.provider} runs: copy it there first"
            )
        smaller, self._last_batch = frames.shape[0] < self._last_batch, frames.shape[0]
        given = self._network.run(self._outputs, {"frame": frames, **noise}, give_back=smaller, run_options=run_options)
        results = dict(zip(self._outputs, given, strict=True))
        segmentation = results.pop("segmentation", None)
        samples = results.get(LATENT_SAMPLES)
        if samples is not None and samples.shape[1] >= SORTED_FIRST:
            # The entropy does not depend on the order of samples, and the graph sorts sorted ones in half the time.
            results[LATENT_SAMPLES] = np.sort(samples, axis=1)
        given = self._detector.run(list(self._scored), results, give_back=smaller, run_options=run_options)
        scored = dict(zip(self._scored, given, strict=True))
        for name, shape in self._scored.items():
            if scored[name].shape != (frames.shape[0], *shape):  # a graph may leave a size open, and fill it otherwise
                raise ProviderError(
                    f"expected {name} of shape {(frames.shape[0], *shape)}, {self._detector.name} gave "
                    f"{scored[name].shape}: export the bundle again"
                )
        features = None
        if self._keep:
            entropy = [scored[ENTROPY]] if ENTROPY in scored else []
            features = join_features([*(results[name] for name in kept_names(results)), *entropy], frames.shape[0])
        return Outcome(
            scores=scored["score"],
            segmentation=segmentation,
            parts=scored.get("parts"),
            answers={name: scored[name] for name in ANSWER_OUTPUTS if name in scored},
            features=features,
        )
