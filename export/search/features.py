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
class SearchGraphs:
    """What the frames are run through.

    Attributes:
        session: frame to latent samples, moments and output scores, of all taps.
        guide: the same network with the guide's fresh masks at the guide's tap; None where that is not looked at.
        taps: of ``session``, in the order of the latent's parts.
        samples: numbers of samples to look at, each above k.
        neighbors: k.
    """

    session: ort.InferenceSession
    guide: ort.InferenceSession | None
    taps: tuple[TapSlice, ...]
    samples: tuple[int, ...]
    neighbors: int


@dataclass(frozen=True, eq=False)
class SearchFeatures:
    """Of the N frames of a set.

    Attributes:
        frames: the set.
        rows: by name of the features, ``(N, D)`` float32: :func:`entropy_name` for the entropies of a tap at S,
            :func:`moments_name` for its moments, ``OUTPUT_SCORES`` for the output's scores, each ``(N, 1)``, and ``guide``
            for the guide's entropies.
    """

    frames: FrameSource
    rows: dict[str, Floats]


def entropy_name(tap: str, samples: int) -> str:
    """Name of a tap's entropies at S."""
    return f"{tap}, S = {samples}"


def moments_name(tap: str) -> str:
    """Name of a tap's moments, which need no sampling."""
    return f"{tap}, no sampling"


def collect(graphs: SearchGraphs, frames: FrameSource, reporter: Reporter) -> SearchFeatures:
    """Run a set through the graphs."""
    rows: dict[str, list[Floats]] = {}
    for frame in reporter.progress((frames[i] for i in range(len(frames))), frames.name, len(frames)):
        for name, values in _of_frame(graphs, frame).items():
            rows.setdefault(name, []).append(values.astype(np.float32))
    return SearchFeatures(frames, {name: np.stack(values) for name, values in rows.items()})


def _of_frame(graphs: SearchGraphs, frame: NDArray[np.uint8]) -> dict[str, Floats]:
    outputs = run_graph(graphs.session, frame[None], [])
    samples, moments = outputs["latent_samples"][0], outputs["latent_moments"][0]
    found: dict[str, Floats] = {}
    for count in graphs.samples:
        entropy = latent_entropy(samples[:count], graphs.neighbors)
        found |= {entropy_name(tap.name, count): entropy[tap.start : tap.stop] for tap in graphs.taps}
    found |= {moments_name(tap.name): moments[:, tap.start : tap.stop].ravel() for tap in graphs.taps}
    if "output_scores" in outputs:
        found |= {name: outputs["output_scores"][0, i : i + 1] for i, name in enumerate(OUTPUT_SCORES)}
    if graphs.guide is not None:
        fresh = run_graph(graphs.guide, frame[None], [])["latent_samples"][0]
        found["guide"] = latent_entropy(fresh, DEFAULT_NEIGHBORS)
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
