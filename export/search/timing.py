# SPDX-License-Identifier: Apache-2.0
"""The graphs that a search runs frames through, and the milliseconds that a candidate costs."""

import time
from collections.abc import Iterable, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import Tensor

from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import check_logits, run_once
from export.graphs.detector import detector_graph, entropy_graph, score_graph
from export.graphs.monitor_forms import cpu_session
from export.graphs.noise import seed_noise
from export.graphs.segmentation import BareNetwork, EvaluatedNetwork, MonitoredNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.pipeline.constants import resolve_drop_block
from export.pipeline.options import ExportOptions
from export.sampling.sampler import Sampler, build_sampler
from export.sampling.taps import list_layers
from export.search.features import TapSlice


class Workshop:
    """Samplers and sessions of one network, and what a monitor adds to it.

    Args:
        options: constants of the masks, seed, k.
        checkpoint: the network.
        preprocessing: frames to its input.
        example: an input of the network.
        shape: of a frame.
    """

    def __init__(
        self,
        options: ExportOptions,
        checkpoint: Checkpoint,
        preprocessing: Preprocessing,
        example: Tensor,
        shape: tuple[int, ...],
    ) -> None:
        self._options, self._checkpoint, self._preprocessing = options, checkpoint, preprocessing
        self._example, (self._height, self._width) = example, shape[:2]
        check_logits(run_once(checkpoint.network, example), "classes")
        self._constants = resolve_drop_block(options, checkpoint)

    def sampler(self, taps: Sequence[str], samples: int, fresh: bool = False) -> Sampler:
        """Sample taps under masks drawn once, or drawn for each frame."""
        drop_prob, block_size = self._constants
        return build_sampler(
            self._checkpoint.network,
            self._example,
            taps,
            mc_samples=samples,
            seed=self._options.seed,
            mode="fresh" if fresh else "fixed",
            drop_prob=drop_prob,
            block_size=block_size,
            force=self._options.force,
        )

    def session(self, sampler: Sampler) -> ort.InferenceSession:
        """A session of the sampler's graph with everything that an evaluation looks at."""
        graph = segmentation_graph(EvaluatedNetwork(self._preprocessing, sampler.observed), self._height, self._width)
        seed_noise(graph, self._options.seed)
        return cpu_session(graph)

    def slices(self, taps: Sequence[str]) -> tuple[TapSlice, ...]:
        """Where the channels of each tap lie in the concatenated latent."""
        shapes = {layer.name: layer.output_shape for layer in list_layers(self._checkpoint.network, self._example)}
        found, start = [], 0
        for tap in taps:
            shape = shapes[tap]
            assert shape is not None  # the sampler has refused taps that give no tensor
            width = shape[2] if len(shape) == 3 else shape[1]
            found.append(TapSlice(tap, start, start + width))
            start += width
        return tuple(found)

    def added_ms(self, tap: str, samples: int, detector: Pipeline, frames: Iterable[NDArray[np.uint8]]) -> float:
        """Median over frames of a monitored frame less the same frame through the bare network, in turn.

        Args:
            tap: the layer.
            samples: S.
            detector: fitted on the tap's entropies.
            frames: of the camera; the first two only warm up.
        """
        sampler = self.sampler((tap,), samples)
        networks = (
            BareNetwork(self._preprocessing, self._checkpoint.network),
            MonitoredNetwork(self._preprocessing, sampler.module),
        )
        alone, monitored = (cpu_session(segmentation_graph(network, self._height, self._width)) for network in networks)
        entropy = entropy_graph(samples, sampler.channels, self._options.neighbors)
        scored = cpu_session(detector_graph(entropy, score_graph(detector, sampler.channels)))

        def bare(frame: NDArray[np.uint8]) -> None:
            alone.run(None, {"frame": frame[None]})

        def whole(frame: NDArray[np.uint8]) -> None:
            _, latent_samples = monitored.run(None, {"frame": frame[None]})
            scored.run(["score"], {"latent_samples": latent_samples})

        added = []
        for i, frame in enumerate(frames):
            seconds = {}
            for run in (bare, whole) if i % 2 else (whole, bare):  # neither always runs on a warm cache
                start = time.perf_counter()
                run(frame)
                seconds[run] = time.perf_counter() - start
            added.append(seconds[whole] - seconds[bare])
        return float(1e3 * np.median(added[2:]))
