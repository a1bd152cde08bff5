# SPDX-License-Identifier: Apache-2.0
"""Compute other scores of the same frames, with which the bundle's own score is compared."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.fitted import Part, PartOptions, fit_part
from export.detectors.registry import detectors_on_ind_frames
from export.evaluation.picture_baseline import PictureBaseline
from export.features.frames import Features
from export.features.key import FeatureKey, FeatureKind

Scores = NDArray[np.float64]

_ON_ANY_FEATURE = "mahalanobis"
"""The detector that is fitted on every feature; on entropies and moments of the taps all of them are."""


@dataclass(frozen=True, eq=False)
class Peer:
    """A score of frames that is computed from their features.

    Attributes:
        name: for tables and reports.
        score: ``(N,)`` of N frames, higher = further from the training distribution.
    """

    name: str
    score: Callable[[Features], Scores]


@dataclass(frozen=True, eq=False)
class OtherScores:
    """Every other score of frames that an evaluation compares the bundle's with.

    Attributes:
        detectors: fitted on features; none without frames to fit them on.
        baseline: fitted on the bare pictures; None without frames to fit it on.
    """

    detectors: tuple[Peer, ...] = ()
    baseline: PictureBaseline | None = None

    def __call__(self, features: Features, pictures: Scores | None) -> dict[str, Scores]:
        """Scores ``(N,)`` of N frames by name: the bundle's own parts, scores of the output, detectors, and the baseline.

        Args:
            features: of the frames.
            pictures: ``(N, 27)`` numbers of the bare frames; None where there is no baseline.
        """
        scores = {f"part: {name}": shares for name, shares in features.parts.items()}
        scores |= {peer.name: peer.score(features) for peer in (*output_peers(features), *self.detectors)}
        if self.baseline is not None and pictures is not None:
            scores[self.baseline.name] = self.baseline(pictures)
        return scores


def fit_other_scores(
    fitted: Features, pictures: Scores, drives: Sequence[str], tap_layers: Collection[str]
) -> OtherScores:
    """Fit detectors on the features of in-distribution frames, and the baseline on their pictures.

    Args:
        fitted: features of N frames.
        pictures: ``(N, 27)`` numbers of the same frames.
        drives: ``(N,)`` names of their drives.
        tap_layers: whose moments every detector is fitted on.
    """
    return OtherScores(tuple(fitted_peers(fitted, drives, tap_layers)), PictureBaseline.fit(pictures))


def output_peers(features: Features) -> Iterator[Peer]:
    """Yield the scores of the network's own output, every aggregate; none for a bundle without segmentation."""
    for key in features.values:
        if key.kind.is_output_score:
            yield Peer(key.words, _column(key))


def fitted_peers(fitted: Features, drives: Sequence[str], tap_layers: Collection[str]) -> Iterator[Peer]:
    """Yield every detector on the entropies and on the moments of the taps, and a Gaussian on each other feature.

    Args:
        fitted: features of the frames that they are fitted on.
        drives: of these frames.
        tap_layers: names.
    """
    for key in fitted.values:
        if key.kind.is_output_score:
            continue
        of_tap = key.kind is FeatureKind.ENTROPY or key.layer in tap_layers
        for kind in detectors_on_ind_frames() if of_tap else (_ON_ANY_FEATURE,):
            part = fit_part(PartOptions(kind, (key,)), fitted.values, drives)
            yield Peer(part.name, _raw(part))


def _raw(part: Part) -> Callable[[Features], Scores]:
    return lambda features: part.raw(features.values)


def _column(key: FeatureKey) -> Callable[[Features], Scores]:
    return lambda features: features.rows(key)[:, 0].astype(np.float64)
