# SPDX-License-Identifier: Apache-2.0
"""Measure the features of all candidates of a search in one pass over the frames.

One graph gives all taps with the largest number of samples. A mask bank is drawn set by set, so the first S sets of a large
bank are the bank of S sets of the same taps and seed, and the first S samples those of an export with S. A set has a mask for
every site of every tap: where several taps are searched, an export of one of them draws other masks of the same distribution.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.anomalies.frame_set import FrameSource
from export.detectors.entropy import latent_entropy
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS
from export.evaluation.detector_ranking import ShiftedFrames
from export.features.key import FeatureKey
from export.frames.clean_frames import CleanFrames
from export.graphs.evaluation_outputs import SEGMENTATION
from export.graphs.monitor_forms import run_graph
from export.reporter import Reporter
from export.search.graphs import SearchGraphs

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class SearchFeatures:
    """Features of all frames of a search.

    Attributes:
        ind: ``(N, D)`` float32 of each key, of the in-distribution frames.
        shifts: of the shifted ones.
    """

    ind: dict[FeatureKey, Floats]
    shifts: tuple[ShiftedFrames, ...]


def collect(
    graphs: SearchGraphs, ind: FrameSource, shifts: Sequence[FrameSource], reporter: Reporter
) -> SearchFeatures:
    """Run in-distribution frames and shifts through the graphs; class maps are compared with those of the clean frames."""
    degraded = {index for shift in shifts if shift.kind is not None for index in shift.indices}
    clean = CleanFrames()
    rows: list[dict[FeatureKey, Floats]] = []
    for index, (features, classes) in zip(ind.indices, _measure(graphs, ind, reporter), strict=True):
        rows.append(features)
        if index in degraded:
            clean.add(index, classes, None)
    return SearchFeatures(_stacked(rows), tuple(_shifted(graphs, shift, clean, reporter) for shift in shifts))


def _shifted(graphs: SearchGraphs, shift: FrameSource, clean: CleanFrames, reporter: Reporter) -> ShiftedFrames:
    rows: list[dict[FeatureKey, Floats]] = []
    agreement: list[float] = []
    for index, (features, classes) in zip(shift.indices, _measure(graphs, shift, reporter), strict=True):
        rows.append(features)
        if shift.kind is not None:
            agreement.append(clean.agreement(index, classes))
    values = _stacked(rows)
    if shift.kind is None:
        return ShiftedFrames(shift.name, shift.name, values)
    return ShiftedFrames(shift.name, shift.kind, values, np.array(shift.indices), np.array(agreement))


def _stacked(rows: Sequence[dict[FeatureKey, Floats]]) -> dict[FeatureKey, Floats]:
    return {key: np.stack([row[key] for row in rows]).astype(np.float32) for key in rows[0]}


def _measure(
    graphs: SearchGraphs, frames: FrameSource, reporter: Reporter
) -> Iterator[tuple[dict[FeatureKey, Floats], NDArray[np.uint8]]]:
    """Yield the features and the class map of each frame."""
    for frame in reporter.progress((frames[i] for i in range(len(frames))), frames.name, len(frames)):
        outputs = run_graph(graphs.session, frame[None], [])
        yield _features_of_frame(graphs, frame, outputs), outputs[SEGMENTATION][0]


def _features_of_frame(
    graphs: SearchGraphs, frame: NDArray[np.uint8], outputs: Mapping[str, NDArray[Any]]
) -> dict[FeatureKey, Floats]:
    samples = outputs["latent_samples"][0]
    found: dict[FeatureKey, Floats] = {}
    for count in graphs.samples:
        entropy = latent_entropy(samples[:count], graphs.neighbors)
        found |= {FeatureKey.entropy(tap.name, count): entropy[tap.start : tap.stop] for tap in graphs.taps}
    found |= {key: outputs[str(key)][0] for key in graphs.features}
    if graphs.guide is not None:
        latent_samples = run_graph(graphs.guide.session, frame[None], [])["latent_samples"][0]
        found[graphs.guide.key] = latent_entropy(latent_samples, DEFAULT_NEIGHBORS)
    return found
