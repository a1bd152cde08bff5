# SPDX-License-Identifier: Apache-2.0
"""Compute other scores of the same frames, with which the bundle's own score is compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from export.calibration.features import Features
from export.detectors.fit import fit_detector
from export.detectors.registry import detectors_on_ind_frames
from export.features.key import FeatureKind


@dataclass(frozen=True, eq=False)
class Peer:
    """A score of frames that is computed from their features.

    Attributes:
        kind: the features.
        detector: name of the detector on them; None for features that are scores themselves.
        pipeline: the fitted detector; None for features that are scores themselves.
    """

    kind: FeatureKind
    detector: str | None = None
    pipeline: Pipeline | None = None

    @property
    def name(self) -> str:
        """Name for tables and reports."""
        return str(self.kind) if self.detector is None else f"{self.kind}, {self.detector}"

    def __call__(self, features: Features) -> NDArray[np.float64]:
        """Scores ``(N,)`` of N frames, higher = further from the training distribution."""
        rows = features.rows(self.kind).astype(np.float64)
        scores: NDArray[np.float64] = rows[:, 0] if self.pipeline is None else -self.pipeline.score_samples(rows)
        return scores


def output_peers(features: Features) -> Iterator[Peer]:
    """Yield the scores of the network's own output; none for a bundle without segmentation."""
    for kind in features.output_kinds:
        yield Peer(kind)


def fitted_peers(fitted: Features) -> Iterator[Peer]:
    """Yield detectors fitted on the entropies, and on the moments of the tap, which need no sampling."""
    for kind in (FeatureKind.ENTROPY, FeatureKind.MOMENTS):
        for detector in detectors_on_ind_frames():
            yield Peer(kind, detector, fit_detector(detector, fitted.rows(kind).astype(np.float64)))
