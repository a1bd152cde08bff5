# SPDX-License-Identifier: Apache-2.0
"""Options of the network's precision, with limits for what fewer bits may change."""

from dataclasses import dataclass, field

from export.option_table import flag
from lsood_runtime.offline import PRECISIONS

FLOAT32, FLOAT16, INT8, INT8_TENSORRT = PRECISIONS


_PRECISION = "precision of the network (the detector keeps float64)"


@dataclass(frozen=True)
class PrecisionOptions:
    """Options of the network's precision; each field's text is what ``--help`` says of its flag."""

    kind: str = field(
        default=FLOAT32,
        metadata=flag(
            "fp16 for CUDA; int8 for CPUs, best with VNNI; int8-tensorrt for TensorRT; calibrated on --frames and compared "
            "with float32 on frames left out of the fit, as they are and mildly degraded",
            _PRECISION,
            name="--precision",
            choices=PRECISIONS,
        ),
    )
    max_flips: float = field(  # the gate's degraded frames are mild ones, many of them near the threshold
        default=0.05,
        metadata=flag(
            "largest share of these frames that may be decided otherwise; layers that cost too much stay in float",
            _PRECISION,
            metavar="X",
        ),
    )
    max_auroc_loss: float = field(
        default=0.005,
        metadata=flag(
            "AUROC that may be lost on the degraded ones; layers that cost too much stay in float",
            _PRECISION,
            metavar="X",
        ),
    )
    max_pixel_changes: float = field(
        default=0.02,
        metadata=flag(
            "largest share of pixels that may change their class; layers that cost too much stay in float",
            _PRECISION,
            metavar="X",
        ),
    )


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
