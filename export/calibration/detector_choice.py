# SPDX-License-Identifier: Apache-2.0
"""Choose what is fitted: the parts of a detector from the options and the features that a network gives."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.calibration.options import AUTO, CalibrationOptions
from export.detectors.fitted import PartOptions, keys_of
from export.detectors.part_choice import (
    check_available,
    check_parts,
    fused_parts,
    one_part,
    parse_feature,
    parse_part,
)
from export.detectors.registry import FUSED
from export.features.key import FeatureKey


@dataclass(frozen=True)
class DetectorChoice:
    """What is fitted.

    Attributes:
        parts: several only where they are fused.
        fused: whether they are standardised and summed.
        reason: why these, in a sentence.
        weights: factors of the weights of fused parts, above 0; None for 1 each.
    """

    parts: tuple[PartOptions, ...]
    fused: bool
    reason: str = "asked for"
    weights: tuple[float, ...] | None = None

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """All features that are read, each once."""
        return keys_of(self.parts)


def choose_parts(options: CalibrationOptions, available: Sequence[FeatureKey], taps: Sequence[str]) -> DetectorChoice:
    """Find the parts that the options ask for; ``auto`` begins with the default ones and is chosen later.

    Args:
        options: of the detector.
        available: features that the network gives.
        taps: layers that are sampled.

    Raises:
        UsageError: no such detector or feature, one that the network does not give, or parts that cannot be summed.
    """
    if options.detector in (FUSED, AUTO):
        parts = tuple(map(parse_part, options.parts)) or fused_parts(available, taps)
        reason = "asked for" if options.parts else _default_reason(parts)
        check_parts(parts)
        choice = DetectorChoice(parts, fused=True, reason=reason)
    else:
        reads = [parse_feature(text) for text in options.reads]
        part = one_part(options.detector, reads, available, taps, standardise=options.standardise, pca=options.pca)
        choice = DetectorChoice((part,), fused=False)
    check_available(choice.parts, available)
    return choice


def _default_reason(parts: Sequence[PartOptions]) -> str:
    weights = "; ".join(f"{part.name} {part.weight:.3g}" for part in parts)
    return f"the default, {len(parts)} parts of weights {weights}; those that are fitted count less where few drives fit them"
