# SPDX-License-Identifier: Apache-2.0
"""The fused detector: scores of several parts, each standardised and compressed, summed.

``share_p = w_p asinh((s_p - centre_p) / scale_p)``. Centre and scale are the median, and the distance from it to the 0.95
quantile, of the part's scores on in-distribution frames whose drives did not fit it. A part's 5 % highest scores therefore
lie above 1 before the compression, in every unit; asinh is linear below that and logarithmic above, so that one part
cannot outshout the others by orders of magnitude, and a lone part that speaks is still heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.credibility import credibility
from export.detectors.cross_fit import FOLDS, deal_folds
from export.detectors.fitted import Part, PartOptions, fit_part, keys_of
from export.detectors.registry import FUSED
from export.detectors.rounding import RESOLUTION
from export.errors import CalibrationError, UsageError
from export.features.key import FeatureKey
from export.features.rows import SelectedRows, StoredFeatures, select_rows
from export.frames.evenly_spaced import evenly_spaced

_HIGH = 0.95
_SMALLEST_SCALE = 1e-9
_RELATIVE_SCALE = 2e-3
_ROUNDINGS = 16.0
"""Scale of a part, at least, in units of what rounding of its features makes of its score."""

_ROUNDED_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Fused:
    """A sum of standardised and compressed parts.

    Attributes:
        parts: the parts, with P different names.
        centres: ``(P,)`` float64, in each part's own unit.
        scales: ``(P,)`` float64, above 0, in the same units.
        weights: ``(P,)`` float64, at least 0.
    """

    parts: tuple[Part, ...]
    centres: NDArray[np.float64]
    scales: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def kind(self) -> str:
        """``fused``."""
        return FUSED

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """All features that are read, each once, in the order in which the parts name them."""
        return keys_of(self.parts)

    def score(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Sum of the shares, ``(N,)``; higher = further from the training distribution."""
        total: NDArray[np.float64] = self.part_scores(features).sum(axis=1)
        return total

    def part_scores(self, features: StoredFeatures) -> NDArray[np.float64]:
        """Share of each part in the score, ``(N, P)``."""
        raw = np.column_stack([part.raw(features) for part in self.parts])
        return self.weights * compress((raw - self.centres) / self.scales)


def compress(standardised: NDArray[np.float64]) -> NDArray[np.float64]:
    """Odd, monotone, linear near 0 and logarithmic far from it."""
    compressed: NDArray[np.float64] = np.arcsinh(standardised)
    return compressed


def fit_fused(
    parts: Sequence[PartOptions],
    features: StoredFeatures,
    drives: Sequence[str],
    *,
    folds: int = FOLDS,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Fused:
    """Fit every part on all frames, and standardise it by scores of frames that did not fit it.

    Each part is fitted once for each fold besides, without the drives of that fold, which are then scored: the scores of
    all frames set centre and scale.

    Args:
        parts: options of each part, at least one.
        features: of N in-distribution frames in the order of recording.
        drives: ``(N,)``; of a single drive contiguous blocks are the folds.
        folds: at most so many.
        weights: factors of the parts' own weights, at least 0; parts of weight 0 are left out. None for 1 each.
        seed: of the deal of drives to folds, and of PCAs.

    Raises:
        CalibrationError: too few frames, or ones that a part cannot be fitted on; the message names the part.
        UsageError: no part, parts of one name, a feature that is missing, or other weights.
    """
    names = [options.name for options in parts]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"expected parts with different names, got {', '.join(names) or 'none'}: name each once")
    weight = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != (len(parts),) or not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise UsageError(f"expected a finite weight of 0 or more for each of {len(parts)} parts, got {weight.tolist()}")
    parts, weight = [part for part, w in zip(parts, weight, strict=True) if w], weight[weight > 0]
    believed = credibility(drives)
    weight *= [options.weight * (believed if options.needs_drives else 1.0) for options in parts]
    scores = out_of_fold_scores(parts, features, drives, folds=folds, seed=seed)
    centres = np.median(scores, axis=0)
    # A part that is the same for every frame has no spread: its noise, in float32 some millionths of its level behind a deep
    # network, must not be blown up to a verdict.
    floor = np.maximum(_RELATIVE_SCALE * np.abs(centres), _SMALLEST_SCALE)
    fitted = tuple(fit_part(options, features, drives, seed=seed) for options in parts)
    floor = np.maximum(floor, _ROUNDINGS * _rounding_of_scores(fitted, features, len(drives), seed))
    scales = np.maximum(np.quantile(scores, _HIGH, axis=0) - centres, floor)
    return Fused(fitted, centres, scales, weight)


def _rounding_of_scores(parts: Sequence[Part], features: StoredFeatures, count: int, seed: int) -> NDArray[np.float64]:
    """How far the score of each part moves at most, ``(P,)``, where every feature of some frames is rounded otherwise."""
    some = select_rows(features, evenly_spaced(np.arange(count), _ROUNDED_FRAMES))
    rng = np.random.default_rng(seed)
    moved: list[float] = []
    for part in parts:
        rows = {key: np.asarray(some[key][:], np.float64) for key in part.keys}
        other = {
            key: values + rng.choice((-1.0, 1.0), values.shape) * RESOLUTION * np.abs(values).max(axis=0)
            for key, values in rows.items()
        }
        moved.append(float(np.abs(part.raw(other) - part.raw(rows)).max()))
    return np.array(moved)


def out_of_fold_scores(
    parts: Sequence[PartOptions], features: StoredFeatures, drives: Sequence[str], *, folds: int = FOLDS, seed: int = 0
) -> NDArray[np.float64]:
    """Scores ``(N, P)`` of all frames, in the parts' own units, each by parts that were fitted without the frame's drive.

    Args:
        parts: as for :func:`fit_fused`.
        features: as there.
        drives: as there.
        folds: as there.
        seed: as there.

    Raises:
        CalibrationError: too few frames, or ones that a part cannot be fitted on; the message names the part.
        UsageError: a feature is missing.
    """
    count = len(drives)
    if count < 2:
        raise CalibrationError(f"expected 2 or more frames to standardise parts by, got {count}: calibrate on more")
    scores = np.empty((count, len(parts)))
    for fold in deal_folds(drives, folds, seed):
        others = np.setdiff1d(np.arange(count), fold)
        names = [drives[i] for i in others]
        for p, options in enumerate(parts):
            rest = {key: SelectedRows(features[key], others) for key in options.keys if key in features}
            try:
                part = fit_part(options, rest, names, seed=seed)
            except CalibrationError as error:
                raise CalibrationError(
                    f"with {len(fold)} of {count} frames left out to standardise by: {error}"
                ) from error
            scores[fold, p] = part.raw(select_rows({key: features[key] for key in options.keys}, fold))
    return scores
