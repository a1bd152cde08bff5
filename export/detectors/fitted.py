# SPDX-License-Identifier: Apache-2.0
"""A detector of named features: one part, or several that are summed (:mod:`export.detectors.fused`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from export.detectors.fit import fit_detector
from export.detectors.registry import detector_spec
from export.errors import CalibrationError, UsageError
from export.features.key import FeatureKey
from export.features.rows import RowBlocks, StoredFeatures

FeatureRows = Mapping[FeatureKey, NDArray[np.floating]]
"""Features of N frames: ``(N, D)`` under each key."""


@dataclass(frozen=True)
class PartOptions:
    """What a part is fitted on, and how.

    Attributes:
        kind: a name of :func:`export.detectors.registry.detector_names`.
        keys: features that it reads, side by side in this order.
        standardise: bring each column to zero mean and unit variance first.
        pca: whitened principal components; None for the rows as they are.
        bandwidth: of kernel densities.
        weight: in a sum of parts, above 0.
        needs_drives: whether the weight is lowered where few drives fit the sum, by
            :func:`export.detectors.credibility.credibility`.
    """

    kind: str
    keys: tuple[FeatureKey, ...]
    standardise: bool = False
    pca: int | None = None
    bandwidth: float | str = "likelihood"
    weight: float = 1.0
    needs_drives: bool = False

    def __post_init__(self) -> None:
        spec = detector_spec(self.kind)
        if not self.keys or len(set(self.keys)) < len(self.keys):
            raise UsageError(f"expected one or more different features for {self.kind}, got {_words(self.keys)}")
        if not spec.accepts:
            return
        fewest = len(spec.accepts) - spec.optional_last
        fits = all(key.kind in kinds for key, kinds in zip(self.keys, spec.accepts, strict=False))
        if not (fits and fewest <= len(self.keys) <= len(spec.accepts)):
            wanted = ", then ".join(" or ".join(kinds) for kinds in spec.accepts)
            raise UsageError(
                f"expected {wanted}{' or nothing' if spec.optional_last else ''} for {self.kind}, got "
                f"{_words(self.keys)}: choose such features"
            )

    @property
    def name(self) -> str:
        """Name of the part, from its features and kind: ``moments/layer2, mahalanobis``; the feature's own for a score."""
        names = " + ".join(map(str, self.keys))
        return names if self.kind == "output-score" else f"{names}, {self.kind}"


@dataclass(frozen=True, eq=False)
class Part:
    """A fitted part of a detector.

    Attributes:
        name: for tables and assessments, unique within a detector.
        keys: features that it reads, side by side in this order.
        kind: a name of :func:`export.detectors.registry.detector_names`.
        pipeline: ``score_samples`` is minus the score.
    """

    name: str
    keys: tuple[FeatureKey, ...]
    kind: str
    pipeline: Pipeline

    def raw(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Scores ``(N,)`` in the part's own unit, block by block; higher = further from the training distribution."""
        blocks = [-self.pipeline.score_samples(block) for block in row_blocks(features, self.keys)]
        return np.concatenate(blocks)


def keys_of(parts: Iterable[PartOptions | Part]) -> tuple[FeatureKey, ...]:
    """All features that parts read, each once, in the order in which the parts name them."""
    return tuple(dict.fromkeys(key for part in parts for key in part.keys))


class FittedDetector(Protocol):
    """Scores of frames from their features, as a sum of shares of parts."""

    @property
    def kind(self) -> str:
        """Value of ``--detector``, and ``detector.kind`` in a bundle's manifest."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, at least one."""

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """All features that are read, each once, in the order in which the parts name them."""

    def score(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Scores ``(N,)``; higher = further from the training distribution."""

    def part_scores(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Shares ``(N, P)`` of the parts in the score; each row sums to it."""


@dataclass(frozen=True, eq=False)
class OnePart:
    """A detector of one part: its score is the part's, in the part's own unit.

    Attributes:
        part: the part.
    """

    part: Part

    @property
    def kind(self) -> str:
        """Kind of the part."""
        return self.part.kind

    @property
    def parts(self) -> tuple[Part, ...]:
        """The one part."""
        return (self.part,)

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """Features of the part."""
        return self.part.keys

    def score(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Scores ``(N,)`` in the part's own unit."""
        return self.part.raw(features)

    def part_scores(self, features: StoredFeatures) -> NDArray[np.float64]:
        """The scores as the one column, ``(N, 1)``."""
        return self.score(features)[:, None]


def side_by_side(features: StoredFeatures, keys: Sequence[FeatureKey]) -> NDArray[np.float64]:
    """Rows ``(N, D)`` float64 of several features.

    Raises:
        UsageError: a feature is missing.
    """
    return np.asarray(row_blocks(features, keys))


def row_blocks(features: StoredFeatures, keys: Sequence[FeatureKey]) -> RowBlocks:
    """Rows ``(N, D)`` of several features, to be read block by block.

    Raises:
        UsageError: a feature is missing.
    """
    missing = [key for key in keys if key not in features]
    if missing:
        raise UsageError(f"expected the features {_words(keys)}, got none of {_words(missing)}: measure them as well")
    return RowBlocks([features[key] for key in keys])


def fit_part(
    options: PartOptions,
    features: StoredFeatures,
    drives: Sequence[str],
    ood: StoredFeatures | None = None,
    *,
    seed: int = 0,
) -> Part:
    """Fit a part.

    Args:
        options: of the part.
        features: of N in-distribution frames in the order of recording.
        drives: ``(N,)``.
        ood: features of out-of-distribution frames, for a detector that needs them.
        seed: of the PCA.

    Raises:
        CalibrationError: too few frames, or ones that the part cannot be fitted on; the message names the part.
        UsageError: a feature is missing.
    """
    rows = row_blocks(features, options.keys)
    fewest = detector_spec(options.kind).fewest_frames
    if len(rows) < fewest:
        raise CalibrationError(
            f"expected at least {fewest} frames to fit {options.name}, got {len(rows)}: calibrate on more"
        )
    try:
        pipeline = fit_detector(
            options.kind,
            rows,
            None if ood is None else side_by_side(ood, options.keys),
            pca_components=options.pca,
            standardise=options.standardise,
            bandwidth=options.bandwidth,
            groups=drives if len(set(drives)) > 1 else None,
            widths=[features[key].shape[1] for key in options.keys],
            seed=seed,
        )
    except CalibrationError as error:
        raise CalibrationError(f"{options.name}: {error}") from error
    return Part(options.name, options.keys, options.kind, pipeline)


def _words(keys: Sequence[FeatureKey]) -> str:
    return ", ".join(map(str, keys)) or "none"
