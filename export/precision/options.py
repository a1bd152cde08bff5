# SPDX-License-Identifier: Apache-2.0
"""Fewer bits for the network of a monitor: which, and what they may cost."""

from dataclasses import dataclass

from lsood_runtime.offline import PRECISIONS

FLOAT32, FLOAT16, INT8, INT8_TENSORRT = PRECISIONS


@dataclass(frozen=True)
class PrecisionOptions:
    """What a user may ask of the network's precision.

    Attributes:
        kind: one of ``PRECISIONS``.
        max_flips: largest share of frames on which the monitor may decide otherwise than in float32.
        max_auroc_loss: how much of the mean AUROC over the spoilt frames may be lost.
        max_pixel_changes: largest share of pixels of familiar frames that may get another class.
    """

    kind: str = FLOAT32
    max_flips: float = 0.05  # the gate's spoilt frames are mild ones, many of them near the threshold
    max_auroc_loss: float = 0.005
    max_pixel_changes: float = 0.02


@dataclass(frozen=True)
class PrecisionLoss:
    """What fewer bits cost, measured against the same monitor in float32; negative where something is gained.

    Attributes:
        frames: how many frames were compared, spoilt ones among them.
        flips: share of them on which the two monitors decide otherwise, each by its own threshold.
        auroc_loss: mean AUROC of the kinds of spoilt frames against the familiar ones, float32's less this one's.
        pixel_changes: share of pixels of familiar frames that get another class; 0 without a segmentation.
    """

    frames: int
    flips: float
    auroc_loss: float
    pixel_changes: float

    def excess(self, options: PrecisionOptions) -> list[str]:
        """What is more than was allowed, in words; empty where the monitor may ship."""
        return [
            f"{name} {value:.3g}, allowed is {limit:.3g}"
            for name, value, limit in (
                ("share of frames decided otherwise", self.flips, options.max_flips),
                ("loss of AUROC", self.auroc_loss, options.max_auroc_loss),
                ("share of pixels of another class", self.pixel_changes, options.max_pixel_changes),
            )
            if not value <= limit
        ]
