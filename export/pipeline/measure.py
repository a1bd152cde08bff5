# SPDX-License-Identifier: Apache-2.0
"""Measure features of frames with the network's graph, frame by frame as in the vehicle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.detectors.fitted import FeatureRows
from export.features.folder import FeatureFolder
from export.features.frames import Features, FrameFeatures
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.features.rows import StoredFeatures
from export.frames.files import FrameFiles
from export.graphs.detector import entropy_graph, inputs_of
from export.graphs.evaluation_outputs import SEGMENTATION, output_shapes, with_outputs
from export.graphs.monitor_forms import class_maps, cpu_session, run_graph
from export.pipeline.convert import ConvertedNetwork
from export.pipeline.sample import SampledNetwork
from export.reporter import Reporter


class NetworkFeatures:
    """Some features of frames, by the graph of a network.

    Args:
        sampled: the network and its noise.
        converted: its graph, in any precision.
        keys: features to measure.
        neighbors: k of the entropies.
        segmented: whether to give class maps too, where the graph has any.
    """

    def __init__(
        self,
        sampled: SampledNetwork,
        converted: ConvertedNetwork,
        keys: Sequence[FeatureKey],
        neighbors: int,
        *,
        segmented: bool = False,
    ) -> None:
        sampler, self._keys, read = sampled.sampler, keys, inputs_of(keys)
        segmented = segmented and SEGMENTATION in output_shapes(converted.evaluation)
        outputs = [*([SEGMENTATION] if segmented else []), *read]
        self._session = cpu_session(with_outputs(converted.evaluation, outputs))
        self._noise = sampled.graph_noise
        self._entropy = cpu_session(entropy_graph(sampler.samples, sampler.channels, neighbors))

    def __call__(
        self, frame: NDArray[np.uint8]
    ) -> tuple[dict[FeatureKey, NDArray[np.float32]], NDArray[np.uint8] | None]:
        """``(D,)`` of each feature of a frame, and its class map where it was asked for."""
        outputs = run_graph(self._session, frame[None], self._noise.draw())
        if LATENT_SAMPLES in outputs:
            samples = {LATENT_SAMPLES: outputs[LATENT_SAMPLES]}
            outputs[str(FeatureKey.entropy())] = self._entropy.run(["entropy"], samples)[0]
        classes = class_maps(outputs[SEGMENTATION])[0].astype(np.uint8) if SEGMENTATION in outputs else None
        return {key: outputs[str(key)][0] for key in self._keys}, classes

    def of(self, files: FrameFiles, indices: Sequence[int], what: str, reporter: Reporter) -> FeatureRows:
        """``(N, D)`` float32 of each feature of N frames."""
        rows = {key: np.empty((0, 0), np.float32) for key in self._keys}
        for i, index in enumerate(reporter.progress(indices, what, len(indices))):
            for key, values in self(files[index])[0].items():
                if i == 0:
                    rows[key] = np.empty((len(indices), len(values)), np.float32)
                rows[key][i] = values
        return rows

    def into(self, folder: FeatureFolder, files: FrameFiles, what: str, reporter: Reporter) -> StoredFeatures:
        """``(N, D)`` float32 of each feature of all frames, in the files of an empty folder; a block of them is in memory."""
        rows: list[tuple[str, FrameFeatures]] = []
        number, spans = 0, folder.spans
        for i in reporter.progress(range(len(files)), what, len(files)):
            rows.append((str(files.paths[i]), FrameFeatures(0.0, self(files[i])[0], None)))
            if i + 1 == spans[number].stop:
                folder.write(number, Features.collect(rows))
                number, rows = number + 1, []
        return folder.rows()
