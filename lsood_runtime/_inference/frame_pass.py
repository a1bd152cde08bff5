# SPDX-License-Identifier: Apache-2.0
"""Run frames through both graphs of a bundle, over host memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import DeviceFrame, Frame
from lsood_runtime._inference.graph import Graph

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
    """

    scores: NDArray[np.float64]
    segmentation: Segmentation | None


class FramePass(Protocol):
    """A pass from frames to scores; safe to call from several threads."""

    def run(self, frames: Frame | DeviceFrame, noise: Mapping[str, NDArray[np.float32]]) -> Outcome:
        """Take ``(B, H, W, 3)`` frames and the noise inputs through both graphs.

        Raises:
            FrameError: frames on a device that this pass does not take.
            ProviderError: ONNX Runtime failed.
        """


class HostPass:
    """Runs both graphs from and to host memory; threads that call it at once share ONNX Runtime's thread pool.

    Args:
        network: the graph from frames to segmentation and latent samples.
        detector: the graph from latent samples to scores.
    """

    def __init__(self, network: Graph, detector: Graph) -> None:
        self._network, self._detector = network, detector
        self._outputs = list(network.outputs)

    def run(self, frames: Frame | DeviceFrame, noise: Mapping[str, NDArray[np.float32]]) -> Outcome:
        """Take ``(B, H, W, 3)`` frames and the noise inputs through both graphs."""
        if isinstance(frames, DeviceFrame):
            raise FrameError(
                f"expected a frame in host memory, since {self._network.provider} runs: copy it there first"
            )
        results = dict(zip(self._outputs, self._network.run(self._outputs, {"frame": frames, **noise}), strict=True))
        samples = results["latent_samples"]
        if samples.shape[1] >= SORTED_FIRST:
            # The entropy does not depend on the order of samples, and the graph sorts sorted ones in half the time.
            samples = np.sort(samples, axis=1)
        (scores,) = self._detector.run(["score"], {"latent_samples": samples})
        return Outcome(scores=scores, segmentation=results.get("segmentation"))
