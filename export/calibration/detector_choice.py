# SPDX-License-Identifier: Apache-2.0
"""Choose what is fitted: the parts of a detector from the options and the features that a network gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.calibration.frame_split import FrameSplit
from export.calibration.options import AUTO, CalibrationOptions
from export.detectors.fit import choose_detector
from export.detectors.fitted import FeatureRows, PartOptions
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
    """

    parts: tuple[PartOptions, ...]
    fused: bool
    reason: str = "asked for"

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """All features that are read, each once."""
        return tuple(dict.fromkeys(key for part in self.parts for key in part.keys))


def choose_parts(options: CalibrationOptions, available: Sequence[FeatureKey], taps: Sequence[str]) -> DetectorChoice:
    """Find the parts that the options ask for; ``auto`` stands for one part on the entropies, whose kind is chosen later.

    Args:
        options: of the detector.
        available: features that the network gives.
        taps: layers that are sampled.

    Raises:
        UsageError: no such detector or feature, one that the network does not give, or parts that cannot be summed.
    """
    if options.detector == FUSED:
        parts = tuple(map(parse_part, options.parts)) or fused_parts(available, taps)
        reason = "asked for" if options.parts else f"the default, {len(parts)} parts of equal weight"
        check_parts(parts)
        choice = DetectorChoice(parts, fused=True, reason=reason)
    else:
        kind = "kde" if options.detector == AUTO else options.detector
        reads = [parse_feature(text) for text in options.reads]
        part = one_part(kind, reads, available, taps, standardise=options.standardise, pca=options.pca)
        choice = DetectorChoice((part,), fused=False)
    check_available(choice.parts, available)
    return choice


def likeliest_density(choice: DetectorChoice, rows: FeatureRows, split: FrameSplit, seed: int) -> DetectorChoice:
    """Replace the kind of a choice of one part by the density under which frames that did not fit it are likeliest.

    Args:
        choice: one part that reads one feature.
        rows: features of all calibration frames.
        split: roles of the frames; those that fit the shipped detector are looked at.
        seed: of the fits.

    Raises:
        CalibrationError: too few frames, or ones that no density can be fitted to.
    """
    (part,) = choice.parts
    (key,) = part.keys
    names = split.names(split.fitted)
    found = choose_detector(
        np.asarray(rows[key][split.fitted], np.float64), names if len(set(names)) > 1 else None, seed=seed
    )
    parts = (PartOptions(found.kind, part.keys, found.standardise, found.pca_components),)
    return DetectorChoice(parts, fused=False, reason=found.reason)
