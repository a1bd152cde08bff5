# SPDX-License-Identifier: Apache-2.0
"""Stage ``resolve``: what an export works on, from the options, the checkpoint and the frames.

A value given in the options comes before the checkpoint's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.bundle.writer import check_destination
from export.calibration.calibrate import split_frames
from export.checkpoint.load import Checkpoint, load_checkpoint
from export.detectors.entropy import check_neighbors
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.layers.dropblock import DropBlockRandomness
from export.layers.preprocessing import Preprocessing
from export.models import DeepLabV3PlusModule
from export.pipeline.capabilities import check_combination, wanted_formats
from export.pipeline.options import ExportOptions
from export.reporter import Reporter


@dataclass(frozen=True, eq=False)
class ExportInputs:
    """What an export works on.

    Attributes:
        options: what was asked for.
        checkpoint: the network with its hyper-parameters.
        frames: in-distribution frames.
        drives: name of the drive of each frame.
        held_out: indices of the frames that set the thresholds.
        ood: out-of-distribution frames, where the detector learns from them.
        preprocessing: from a frame to the network's input.
        drop_prob: DropBlock's p by flags; None where the network's own layers have theirs.
        block_size: DropBlock's b by flags, given together with ``drop_prob``.
        warnings: what is known against the frames.
    """

    options: ExportOptions
    checkpoint: Checkpoint
    frames: FrameFiles
    drives: tuple[str, ...]
    held_out: NDArray[np.int64]
    ood: FrameFiles | None
    preprocessing: Preprocessing
    drop_prob: float | None
    block_size: int | None
    warnings: tuple[str, ...]


def resolve_inputs(options: ExportOptions, reporter: Reporter) -> ExportInputs:
    """Check the options and read the checkpoint and the list of frames.

    Args:
        options: what was asked for.
        reporter: told the stage, and how far the comparison with training frames has come.

    Raises:
        UsageError: options that contradict each other, a destination, a frame or a constant that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        CalibrationError: frames that cannot be split, or too few for a rate.
    """
    check_destination(options.out, options.overwrite)
    check_options(options)
    reporter.stage(f"reading {options.ckpt}")
    checkpoint = load_checkpoint(options.ckpt, options.model, options.model_args, trust=options.trust_checkpoint)
    frames = FrameFiles(options.frames, options.channels)
    asked = options.calibration
    drives, held_out = split_frames(frames.paths, asked)
    ood = FrameFiles(asked.ood_frames, options.channels) if asked.ood_frames else None
    preprocessing = resolve_preprocessing(options, checkpoint, frames)
    drop_prob, block_size = resolve_drop_block(options, checkpoint)
    warnings = check_overlap(frames, asked.train_frames, asked.group_by, reporter)
    return ExportInputs(
        options=options,
        checkpoint=checkpoint,
        frames=frames,
        drives=drives,
        held_out=held_out,
        ood=ood,
        preprocessing=preprocessing,
        drop_prob=drop_prob,
        block_size=block_size,
        warnings=tuple(warnings),
    )


def check_options(options: ExportOptions) -> None:
    """Refuse what no checkpoint could make right.

    Raises:
        UsageError: options that contradict each other, or a value out of range.
    """
    try:
        check_neighbors(options.mc_samples, options.neighbors)
    except ValueError as error:
        raise UsageError(f"{error}: raise --mc-samples or lower --neighbors") from error
    if options.seed < 0:
        raise UsageError(f"expected a --seed of 0 or more, got {options.seed}")
    for row in wanted_formats(options.format, options.fuse):
        check_combination(row, options.calibration.detector, options.precision.kind, options.masks)
    limits = (options.precision.max_flips, options.precision.max_auroc_loss, options.precision.max_pixel_changes)
    if not all(0 <= limit <= 1 for limit in limits):
        raise UsageError(
            "expected --max-flips, --max-auroc-loss and --max-pixel-changes in [0, 1], got "
            f"{', '.join(f'{limit:g}' for limit in limits)}"
        )


def resolve_preprocessing(options: ExportOptions, checkpoint: Checkpoint, frames: FrameFiles) -> Preprocessing:
    """The way from a frame to the network's input.

    Raises:
        UsageError: the normalisation is not known, or crop, frame and input do not fit together.
    """
    known = checkpoint.hyper_parameters
    mean, std = options.mean or known.get("mean"), options.std or known.get("std")
    if mean is None or std is None:
        raise UsageError(
            "expected --mean and --std, the checkpoint does not say how its frames were normalised "
            "(the guide: 0.287 0.325 0.284 and 0.187 0.190 0.187 on Cityscapes, ImageNet's on WoodScape)"
        )
    top, left, crop_height, crop_width = options.crop or (0, 0, *frames.shape[:2])
    if top + crop_height > frames.shape[0] or left + crop_width > frames.shape[1]:
        raise UsageError(
            f"expected --crop inside frames of {frames.shape[1]}x{frames.shape[0]}, got rows {top} to {top + crop_height}, "
            f"columns {left} to {left + crop_width}"
        )
    height, width = options.input_size or known.get("input_size") or (crop_height, crop_width)
    if min(height, width) < 1:
        raise UsageError(f"expected --input-size of at least 1 x 1, got {height} x {width}")
    if options.resize == "refuse" and (height, width) != (crop_height, crop_width):
        raise UsageError(
            f"expected what the network sees of a frame to have its input size {width}x{height}, got "
            f"{crop_width}x{crop_height}: choose --crop or --input-size so that they agree, or allow --resize bilinear"
        )
    try:
        return Preprocessing(height, width, mean, std, options.channels, options.crop)
    except ValueError as error:
        raise UsageError(f"{error}: check --mean, --std and --crop") from error


def resolve_drop_block(options: ExportOptions, checkpoint: Checkpoint) -> tuple[float | None, int | None]:
    """DropBlock's constants by flags; None and None where the network's own layers have theirs.

    One flag alone is completed from the network's DropBlock layers. The constants of a guide's network stood in the code
    that trained it, so that its checkpoint cannot tell them, and what its layers carry here means nothing.

    Raises:
        UsageError: a constant is missing or out of range.
    """
    given = {"drop_prob": options.drop_prob, "block_size": options.block_size}
    unknown = [name for name in given if name not in checkpoint.hyper_parameters and given[name] is None]
    if unknown and isinstance(checkpoint.network, DeepLabV3PlusModule):
        raise UsageError(
            "expected --drop-prob and --block-size, the checkpoint does not carry DropBlock's constants "
            "(the guide's code had 0.5 and 8 in 2024, 0.2 and 12 in 2023: look into the code that trained it)"
        )
    drop_prob, block_size = options.drop_prob, options.block_size
    if drop_prob is None and block_size is None:
        return None, None
    own = {DropBlockRandomness.recognise(module) for module in checkpoint.network.modules()} - {None}
    if drop_prob is None or block_size is None:
        if len(own) != 1:
            raise UsageError("expected --drop-prob and --block-size, got one of them: give both or neither")
        (constants,) = own
        assert constants is not None
        drop_prob = constants.drop_prob if drop_prob is None else drop_prob
        block_size = constants.block_size if block_size is None else block_size
    if not 0 < drop_prob < 1 or block_size is None or block_size < 1:
        raise UsageError(
            f"expected --drop-prob in (0, 1) and --block-size of at least 1, got {drop_prob} and {block_size}"
        )
    return drop_prob, block_size
