# SPDX-License-Identifier: Apache-2.0
"""Options of an export."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.calibration.options import CalibrationOptions
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS
from export.precision.options import PrecisionOptions
from export.sampling.mask_mode import Mode

CHANNELS = ("rgb", "bgr")
RESIZES = ("bilinear", "refuse")


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export; None stands for the checkpoint's own value.

    Attributes:
        ckpt: the checkpoint.
        frames: in-distribution frames: folders and files, in the order of recording.
        out: the bundle's folder.
        model: ``package.module:Class``; None for DeepLabV3PlusModule.
        model_args: constructor arguments that replace or complete the checkpoint's hyper-parameters.
        trust_checkpoint: unpickle whatever the checkpoint holds.
        tap: names of the layers to sample; empty for the network's one DropBlock layer.
        input_size: ``(height, width)`` of the network's input.
        channels: order of a frame's last axis in the vehicle, ``rgb`` or ``bgr``.
        crop: ``(top, left, height, width)`` of the part of the frame that the network sees.
        resize: ``bilinear``, or ``refuse`` where what is left of the frame must have the network's size already.
        mc_samples: S, Monte-Carlo samples a frame.
        masks: ``fixed``, ``fresh`` or ``input``, see :class:`export.sampling.sampler.Sampler`.
        seed: of the masks and the noise.
        neighbors: k of the entropy estimate, below S.
        drop_prob: DropBlock's p.
        block_size: DropBlock's b.
        force: accept constants under which many masks drop nothing.
        mean: RGB mean of the frames in [0, 1].
        std: RGB standard deviation.
        calibration: of detector and thresholds.
        segmentation: ``classes``, ``logits`` or ``none``.
        fuse: write ``monitor.onnx`` too, one graph from frame to score.
        format: ``onnx``, or ``torchscript`` for ``monitor.pt`` beside the graphs.
        precision: of the network, and what fewer bits may cost.
        overwrite: replace an existing bundle.
    """

    ckpt: Path
    frames: tuple[Path, ...]
    out: Path
    model: str | None = None
    model_args: Mapping[str, Any] = field(default_factory=dict)
    trust_checkpoint: bool = False
    tap: tuple[str, ...] = ()
    input_size: tuple[int, int] | None = None
    channels: str = "rgb"
    crop: tuple[int, int, int, int] | None = None
    resize: str = "bilinear"
    mc_samples: int = 16
    masks: Mode = "fixed"
    seed: int = 0
    neighbors: int = DEFAULT_NEIGHBORS
    drop_prob: float | None = None
    block_size: int | None = None
    force: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    calibration: CalibrationOptions = field(default_factory=CalibrationOptions)
    segmentation: str = "classes"
    fuse: bool = False
    format: str = "onnx"
    precision: PrecisionOptions = field(default_factory=PrecisionOptions)
    overwrite: bool = False

    def asdict(self) -> dict[str, Any]:
        """JSON-ready form for the manifest."""
        values = asdict(self)
        paths = {"ckpt": str(self.ckpt), "out": str(self.out), "frames": [str(path) for path in self.frames]}
        return values | paths | {"calibration": self.calibration.asdict()}
