# SPDX-License-Identifier: Apache-2.0
"""Precision of the network of a monitor: which one, and how much fewer bits may change."""

from dataclasses import dataclass

from lsood_runtime.offline import PRECISIONS

FLOAT32, FLOAT16, INT8, INT8_TENSORRT = PRECISIONS


@dataclass(frozen=True)
class PrecisionOptions:
    """Precision of the network, and limits of what it may change against float32.

    Attributes:
        kind: one of ``PRECISIONS``.
        max_flips: largest share of frames on which the monitor may decide otherwise than in float32.
        max_auroc_loss: how much of the mean AUROC over the degraded frames may be lost.
        max_pixel_changes: largest share of pixels of in-distribution frames that may get another class.
    """

    kind: str = FLOAT32
    max_flips: float = 0.05  # the gate's degradations are mild, many of their frames near the threshold
    max_auroc_loss: float = 0.005
    max_pixel_changes: float = 0.02


@dataclass(frozen=True)
class PrecisionLoss:
    """Differences between a monitor in fewer bits and the same one in float32.

    Attributes:
        frames: how many frames were compared, degraded ones among them.
        flips: share of them on which the two monitors decide otherwise, each by its own threshold.
        auroc_loss: mean AUROC of the degradations against the in-distribution frames, float32's less this one's;
            negative where it rose.
        pixel_changes: share of pixels of in-distribution frames that get another class; 0 without a segmentation.
    """

    frames: int
    flips: float
    auroc_loss: float
    pixel_changes: float

    def excess(self, options: PrecisionOptions) -> list[str]:
        """List what is above its limit, one sentence each; empty where the monitor may ship."""
        return [
            f"{name} {value:.3g}, allowed is {limit:.3g}"
            for name, value, limit in (
                ("share of frames decided otherwise", self.flips, options.max_flips),
                ("loss of AUROC", self.auroc_loss, options.max_auroc_loss),
                ("share of pixels of another class", self.pixel_changes, options.max_pixel_changes),
            )
            if not value <= limit
        ]
