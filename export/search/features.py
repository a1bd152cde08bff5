# SPDX-License-Identifier: Apache-2.0
"""What every candidate of a search is judged by, from one pass over the frames: one graph with all taps and the most samples.

A mask bank is drawn set by set, so the first S sets of a large bank are the bank of S sets of the same taps and seed, and the
first S samples those of an export with S. A set has a mask for every site of every tap: where several taps are searched, an
export of one of them draws other masks of the same distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.calibration.feature_key import FeatureKey, FeatureKind
from export.detectors.entropy import latent_entropy
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS
from export.graphs.evaluation_outputs import OUTPUT_SCORES
from export.graphs.monitor_forms import run_graph
from export.reporter import Reporter

GUIDE_SAMPLES = 10
"""The guide's S, with fresh masks; its k is the default of every entropy here."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TapSlice:
    """Where a tap's channels lie in the concatenated latent."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class GuideGraph:
    """The network with the guide's tap and S, under fresh masks.

    Attributes:
        session: frame to latent samples.
        key: of the entropies.
    """

    session: ort.InferenceSession
    key: FeatureKey


@dataclass(frozen=True)
class SearchGraphs:
    """What the frames are run through.

    Attributes:
        session: frame to latent samples, moments and output scores, of all taps.
        guide: the guide's configuration; None where it is not compared.
        taps: of ``session``, in the order of the latent's parts.
        samples: numbers of samples to look at, each above k.
        neighbors: k.
    """

    session: ort.InferenceSession
    guide: GuideGraph | None
    taps: tuple[TapSlice, ...]
    samples: tuple[int, ...]
    neighbors: int


@dataclass(frozen=True, eq=False)
class SearchFeatures:
    """Of the N frames of a set.

    Attributes:
        frames: the set.
        rows: of each feature, ``(N, D)`` float32; D = 1 for scores of the output.
    """

    frames: FrameSource
    rows: dict[FeatureKey, Floats]


def collect(graphs: SearchGraphs, frames: FrameSource, reporter: Reporter) -> SearchFeatures:
    """Run a set through the graphs."""
    rows: dict[FeatureKey, list[Floats]] = {}
    for frame in reporter.progress((frames[i] for i in range(len(frames))), frames.name, len(frames)):
        for key, values in _of_frame(graphs, frame).items():
            rows.setdefault(key, []).append(values.astype(np.float32))
    return SearchFeatures(frames, {key: np.stack(values) for key, values in rows.items()})


def _of_frame(graphs: SearchGraphs, frame: NDArray[np.uint8]) -> dict[FeatureKey, Floats]:
    outputs = run_graph(graphs.session, frame[None], [])
    samples, moments = outputs["latent_samples"][0], outputs["latent_moments"][0]
    found: dict[FeatureKey, Floats] = {}
    for count in graphs.samples:
        entropy = latent_entropy(samples[:count], graphs.neighbors)
        found |= {FeatureKey.entropy(tap.name, count): entropy[tap.start : tap.stop] for tap in graphs.taps}
    found |= {FeatureKey.moments(tap.name): moments[:, tap.start : tap.stop].ravel() for tap in graphs.taps}
    if "output_scores" in outputs:
        scores = outputs["output_scores"][0]
        found |= {FeatureKey(FeatureKind(name)): scores[i : i + 1] for i, name in enumerate(OUTPUT_SCORES)}
    if graphs.guide is not None:
        fresh = run_graph(graphs.guide.session, frame[None], [])["latent_samples"][0]
        found[graphs.guide.key] = latent_entropy(fresh, DEFAULT_NEIGHBORS)
    return found


def two_folds(drives: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of two halves: whole drives, shared out from the largest on, or the two halves of a single one."""
    names, sizes = np.unique(np.asarray(drives), return_counts=True)
    if len(names) == 1:
        first, second = np.array_split(np.arange(len(drives)), 2)
        return first, second
    halves: tuple[set[str], set[str]] = (set(), set())
    held = [0, 0]
    for i in np.argsort(-sizes, kind="stable"):
        smaller = int(np.argmin(held))
        halves[smaller].add(str(names[i]))
        held[smaller] += int(sizes[i])
    first, second = (np.flatnonzero([name in half for name in drives]) for half in halves)
    return first, second
