# SPDX-License-Identifier: Apache-2.0
"""Typed keys of the features of a frame."""

from dataclasses import dataclass
from enum import StrEnum

from export.sampling.mask_mode import Mode


class FeatureKind(StrEnum):
    """Kind of a feature. The last four are the columns of ``export.graphs.evaluation_outputs.OUTPUT_SCORES``."""

    ENTROPY = "entropy"
    """Entropies of a tap's channels over its samples, nats."""
    MOMENTS = "moments"
    """Mean and log standard deviation of a tap's channels, without any sampling."""
    PREDICTIVE_ENTROPY = "predictive_entropy"
    MAXIMUM_SOFTMAX = "maximum_softmax"
    MAXIMUM_LOGIT = "maximum_logit"
    ENERGY = "energy"

    @property
    def is_output_score(self) -> bool:
        """Whether the feature is one score of the network's own output, and not a vector of a tap."""
        return self not in (FeatureKind.ENTROPY, FeatureKind.MOMENTS)


@dataclass(frozen=True)
class FeatureKey:
    """Key of one feature of a frame.

    Attributes:
        kind: of the feature.
        tap: the layer; None for scores of the output.
        samples: S of the entropies; None for features without sampling.
        masks: mode of the masks of the entropies; None for features without sampling.
    """

    kind: FeatureKind
    tap: str | None = None
    samples: int | None = None
    masks: Mode | None = None

    @classmethod
    def entropy(cls, tap: str, samples: int, masks: Mode = "fixed") -> "FeatureKey":
        """Key of the entropies of a tap over S samples."""
        return cls(FeatureKind.ENTROPY, tap, samples, masks)

    @classmethod
    def moments(cls, tap: str) -> "FeatureKey":
        """Key of the moments of a tap."""
        return cls(FeatureKind.MOMENTS, tap)

    def __str__(self) -> str:
        """Text of the key for tables; it is never parsed."""
        if self.kind.is_output_score:
            return str(self.kind)
        if self.samples is None:
            return f"{self.tap}, no sampling"
        fresh = "" if self.masks == "fixed" else f", {self.masks} masks"
        return f"{self.tap}, S = {self.samples}{fresh}"
