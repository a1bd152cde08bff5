# SPDX-License-Identifier: Apache-2.0
"""Measure the features of all candidates of a search in one pass over the frames.

One graph gives all taps with the largest number of samples. A mask bank is drawn set by set, so the first S sets of a large
bank are the bank of S sets of the same taps and seed, and the first S samples those of an export with S. A set has a mask for
every site of every tap: where several taps are searched, an export of one of them draws other masks of the same distribution.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.detectors.entropy import latent_entropy
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS
from export.features.key import OUTPUT_SCORES, FeatureKey
from export.graphs.monitor_forms import run_graph
from export.reporter import Reporter
from export.search.graphs import SearchGraphs

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class SearchFeatures:
    """Features of the N frames of a set.

    Attributes:
        frames: the set.
        rows: ``(N, D)`` float32 of each key; D is 1 for an output score.
    """

    frames: FrameSource
    rows: dict[FeatureKey, Floats]


def collect(graphs: SearchGraphs, frames: FrameSource, reporter: Reporter) -> SearchFeatures:
    """Run a set through the graphs."""
    rows: dict[FeatureKey, list[Floats]] = {}
    for frame in reporter.progress((frames[i] for i in range(len(frames))), frames.name, len(frames)):
        for key, values in _features_of_frame(graphs, frame).items():
            rows.setdefault(key, []).append(values.astype(np.float32))
    return SearchFeatures(frames, {key: np.stack(values) for key, values in rows.items()})


def _features_of_frame(graphs: SearchGraphs, frame: NDArray[np.uint8]) -> dict[FeatureKey, Floats]:
    outputs = run_graph(graphs.session, frame[None], [])
    samples = outputs["latent_samples"][0]
    found: dict[FeatureKey, Floats] = {}
    for count in graphs.samples:
        entropy = latent_entropy(samples[:count], graphs.neighbors)
        found |= {FeatureKey.entropy(tap.name, count): entropy[tap.start : tap.stop] for tap in graphs.taps}
    of_frame = [*(FeatureKey.moments(tap.name) for tap in graphs.taps), *map(FeatureKey.output_score, OUTPUT_SCORES)]
    found |= {key: outputs[str(key)][0] for key in of_frame}
    if graphs.guide is not None:
        latent_samples = run_graph(graphs.guide.session, frame[None], [])["latent_samples"][0]
        found[graphs.guide.key] = latent_entropy(latent_samples, DEFAULT_NEIGHBORS)
    return found
