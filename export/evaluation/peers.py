# SPDX-License-Identifier: Apache-2.0
"""Compute other scores of the same frames, with which the bundle's own score is compared."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from export.detectors.fit import fit_detector
from export.detectors.registry import detectors_on_ind_frames
from export.evaluation.picture_baseline import PictureBaseline
from export.features.frames import Features
from export.features.key import Aggregate, FeatureKey, FeatureKind


@dataclass(frozen=True, eq=False)
class Peer:
    """A score of frames that is computed from their features.

    Attributes:
        key: of the features.
        detector: name of the detector on them; None for features that are scores themselves.
        pipeline: the fitted detector; None for features that are scores themselves.
    """

    key: FeatureKey
    detector: str | None = None
    pipeline: Pipeline | None = None

    @property
    def name(self) -> str:
        """Name for tables and reports."""
        return self.key.words if self.detector is None else f"{self.key}, {self.detector}"

    def __call__(self, features: Features) -> NDArray[np.float64]:
        """Scores ``(N,)`` of N frames, higher = further from the training distribution."""
        rows = features.rows(self.key).astype(np.float64)
        scores: NDArray[np.float64] = rows[:, 0] if self.pipeline is None else -self.pipeline.score_samples(rows)
        return scores


@dataclass(frozen=True, eq=False)
class OtherScores:
    """Every other score of frames that an evaluation compares the bundle's with.

    Attributes:
        detectors: fitted on features; none without frames to fit them on.
        baseline: fitted on the bare pictures; None without frames to fit it on.
    """

    detectors: tuple[Peer, ...] = ()
    baseline: PictureBaseline | None = None

    def __call__(self, features: Features, pictures: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
        """Scores ``(N,)`` of N frames by name.

        Args:
            features: of the frames.
            pictures: ``(N, 27)`` numbers of the bare frames; None where there is no baseline.
        """
        scores = {peer.name: peer(features) for peer in (*output_peers(features), *self.detectors)}
        if self.baseline is not None and pictures is not None:
            scores[self.baseline.name] = self.baseline(pictures)
        return scores


def fit_other_scores(
    fitted: Features, pictures: NDArray[np.float64], layers: Collection[str] | None = None
) -> OtherScores:
    """Fit detectors on the features of in-distribution frames, and the baseline on their pictures.

    Args:
        fitted: features of N frames.
        pictures: ``(N, 27)`` numbers of the same frames.
        layers: whose moments detectors are fitted on; None for every layer that was observed.
    """
    return OtherScores(tuple(fitted_peers(fitted, layers)), PictureBaseline.fit(pictures))


def output_peers(features: Features, aggregates: Collection[Aggregate] = (Aggregate.MEAN,)) -> Iterator[Peer]:
    """Yield the scores of the network's own output; none for a bundle without segmentation.

    Args:
        features: of any frames.
        aggregates: over the pixels of a frame; a bundle of schema 2 has the mean alone.
    """
    for key in features.values:
        if key.aggregate in aggregates:
            yield Peer(key)


def fitted_peers(fitted: Features, layers: Collection[str] | None = None) -> Iterator[Peer]:
    """Yield detectors fitted on the entropies, and on the moments of layers, which need no sampling.

    Args:
        fitted: features of the frames that they are fitted on.
        layers: names; None for every layer that was observed.
    """
    moments = [key for key in fitted.values if key.kind is FeatureKind.MOMENTS]
    for key in (FeatureKey.entropy(), *(key for key in moments if layers is None or key.layer in layers)):
        for detector in detectors_on_ind_frames():
            yield Peer(key, detector, fit_detector(detector, fitted.rows(key).astype(np.float64)))
