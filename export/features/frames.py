# SPDX-License-Identifier: Apache-2.0
"""Features of one frame and of many, by key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.features.key import FeatureKey
from lsood_runtime.offline import NO_ANSWERS, Answers


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Features of one frame.

    Attributes:
        score: of the bundle's own detector.
        values: ``(D,)`` float32 of each key.
        segmentation: ``(h, w)`` uint8 classes; None for a bundle without segmentation.
        parts: share of each part of the detector in the score, by name; empty for a detector of one part.
        answers: of the bundle beside the score.
    """

    score: float
    values: Mapping[FeatureKey, NDArray[np.float32]]
    segmentation: NDArray[np.uint8] | None
    parts: Mapping[str, float] = field(default_factory=dict)
    answers: Answers = NO_ANSWERS


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N frames in the order of recording.

    Attributes:
        names: ``(N,)`` str, the frames' paths.
        score: ``(N,)`` float64, of the bundle that measured them.
        values: ``(N, D)`` float32 of each key.
        parts: ``(N,)`` float64, share of each part of that bundle's detector in the score, by name; empty where it has one
            part, or where nobody asked.
    """

    names: NDArray[np.str_]
    score: NDArray[np.float64]
    values: Mapping[FeatureKey, NDArray[np.float32]]
    parts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, key: FeatureKey) -> NDArray[np.float32]:
        """One feature of every frame, ``(N, D)``.

        Raises:
            UsageError: it was not measured.
        """
        if key not in self.values:
            raise UsageError(
                f"expected the feature {key}, these frames have {', '.join(map(str, self.values))}: choose one of them, or "
                "export the bundle anew and measure the frames again"
            )
        return self.values[key]

    @classmethod
    def collect(cls, rows: Iterable[tuple[str, FrameFeatures]]) -> Self:
        """Stack the features of named frames.

        Raises:
            UsageError: no row at all.
        """
        listed = list(rows)
        if not listed:
            raise UsageError("expected at least one frame, got none: check the folders")
        names, features = zip(*listed, strict=True)
        return cls(
            np.array(names, np.str_),
            np.array([row.score for row in features]),
            {key: np.stack([row.values[key] for row in features]) for key in features[0].values},
            {name: np.array([row.parts[name] for row in features]) for name in features[0].parts},
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Join the frames of several measurements, in the order given.

        Raises:
            UsageError: no part, or parts with other features.
        """
        listed = list(parts)
        measured = {tuple((key, values.shape[1]) for key, values in part.values.items()) for part in listed}
        if len(measured) != 1:
            raise UsageError(
                "expected one or more sets of the same features, got none or several: measure them alike, with one bundle"
            )
        common = [name for name in listed[0].parts if all(name in part.parts for part in listed)]
        return cls(
            np.concatenate([part.names for part in listed]),
            np.concatenate([part.score for part in listed]),
            {key: np.concatenate([part.values[key] for part in listed]) for key in listed[0].values},
            {name: np.concatenate([part.parts[name] for part in listed]) for name in common},
        )
