# SPDX-License-Identifier: Apache-2.0
"""Stage ``resolve``: get the inputs of an export from the options, the checkpoint and the frames."""

from dataclasses import dataclass

from export.bundle.writer import check_destination
from export.calibration.frame_split import FrameSplit, see_frames, split_frames
from export.checkpoint.load import Checkpoint
from export.destination import check_place
from export.detectors.entropy import check_neighbors
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.frames.repeated import read_each_once
from export.layers.preprocessing import Preprocessing
from export.pipeline.capabilities import check_combination, wanted_formats
from export.pipeline.load_network import load_network
from export.pipeline.many_frames import many_frames_advice
from export.pipeline.network_constants import resolve_drop_block, resolve_preprocessing
from export.pipeline.options import ExportOptions
from export.pipeline.output_choice import choose_network_output
from export.precision.options import FLOAT16, FLOAT32
from export.reporter import Reporter


@dataclass(frozen=True, eq=False)
class ExportInputs:
    """The inputs of an export, checked.

    Attributes:
        options: of the export.
        checkpoint: the network with its hyper-parameters.
        frames: in-distribution frames.
        split: drive of each frame, and which frames set the thresholds and fit the detector.
        ood: out-of-distribution frames, where the detector learns from them.
        preprocessing: from a frame to the network's input.
        logits_shape: ``(K, h, w)`` of the network's output; None where the bundle has no segmentation.
        drop_prob: DropBlock's p by flags; None where the network's own layers have theirs.
        block_size: DropBlock's b by flags, given together with ``drop_prob``.
        warnings: reasons not to rely on thresholds from these frames.
    """

    options: ExportOptions
    checkpoint: Checkpoint
    frames: FrameFiles
    split: FrameSplit
    ood: FrameFiles | None
    preprocessing: Preprocessing
    logits_shape: tuple[int, int, int] | None
    drop_prob: float | None
    block_size: int | None
    warnings: tuple[str, ...]


def resolve_inputs(options: ExportOptions, reporter: Reporter) -> ExportInputs:
    """Check the options and read the checkpoint and the list of frames.

    Args:
        options: of the export.
        reporter: told the stage, and how far the comparison with training frames has come.

    Raises:
        UsageError: options that contradict each other, a destination, a frame or a constant that cannot be used.
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        ConversionError: a network that cannot be run, or whose output is no segmentation.
        CalibrationError: frames that cannot be split, or too few for a rate.
    """
    check_destination(options.out, options.overwrite)
    check_options(options)
    reporter.stage(f"reading {options.ckpt}")
    checkpoint = load_network(options, reporter)
    check_place(options.out, "choose another --out", size=_smallest_size(options, checkpoint))
    frames = FrameFiles(options.frames, options.channels, options.reading.rules)
    chosen = options.calibration
    split = split_frames(frames.paths, chosen)
    advice = many_frames_advice(len(frames), options.frames, options.out)
    if advice is not None:
        reporter.stage(advice)
    ood = FrameFiles(chosen.ood_frames, options.channels, frames.rules) if chosen.ood_frames else None
    preprocessing = resolve_preprocessing(options, checkpoint, frames, reporter)
    drop_prob, block_size = resolve_drop_block(options, checkpoint)
    checkpoint, logits_shape = choose_network_output(options, checkpoint, preprocessing, frames, reporter)
    split, still = see_frames(frames, split, reporter)
    if ood is not None:
        read_each_once(ood, reporter)
    warnings = still + check_overlap(frames, chosen.train_frames, chosen.group_by, reporter)
    return ExportInputs(
        options=options,
        checkpoint=checkpoint,
        frames=frames,
        split=split,
        ood=ood,
        preprocessing=preprocessing,
        logits_shape=logits_shape,
        drop_prob=drop_prob,
        block_size=block_size,
        warnings=tuple(warnings),
    )


def _smallest_size(options: ExportOptions, checkpoint: Checkpoint) -> int:
    """Bytes of the network's weights in the files of the bundle; what it holds besides is small beside them."""
    weights = sum(tensor.nbytes for tensor in checkpoint.network.state_dict().values())
    shares = {FLOAT32: 1.0, FLOAT16: 0.5}
    copies = shares.get(options.precision.kind, 0.25) + (options.format == "torchscript")
    return int(weights * copies)


def check_options(options: ExportOptions) -> None:
    """Refuse wrong options before the checkpoint is read.

    Raises:
        UsageError: options that contradict each other, or a value out of range.
    """
    try:
        check_neighbors(options.mc_samples, options.neighbors)
    except ValueError as error:
        raise UsageError(f"{error}: raise --mc-samples or lower --neighbors") from error
    if options.seed < 0:
        raise UsageError(f"expected a --seed of 0 or more, got {options.seed}: 0 is the default")
    for row in wanted_formats(options.format, options.fuse):
        check_combination(row, options.calibration.detector, options.precision.kind, options.masks)
    limits = (options.precision.max_flips, options.precision.max_auroc_loss, options.precision.max_pixel_changes)
    if not all(0 <= limit <= 1 for limit in limits):
        raise UsageError(
            "expected --max-flips, --max-auroc-loss and --max-pixel-changes in [0, 1], got "
            f"{', '.join(f'{limit:g}' for limit in limits)}: give shares of 1"
        )
