# SPDX-License-Identifier: Apache-2.0
"""Stage ``resolve``: get the inputs of an export from the options, the checkpoint and the frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from export.calibration.answer_options import CAUSE, MAP, QUALITY
from export.calibration.frame_split import FrameSplit, see_frames, split_frames
from export.calibration.own_causes import own_causes
from export.checkpoint.load import Checkpoint
from export.detectors.entropy import check_neighbors
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.overlap import check_overlap
from export.frames.repeated import check_each_file_once, read_each_once
from export.graphs.segmentation_kinds import bundle_kind
from export.layers.preprocessing import Preprocessing
from export.option_table import check_limits
from export.pipeline.capabilities import check_combination, wanted_formats
from export.pipeline.default_tap import LOOKED_AT, choose_tap
from export.pipeline.findings import Findings
from export.pipeline.load_network import load_network
from export.pipeline.network_constants import resolve_drop_block, resolve_preprocessing, with_pad
from export.pipeline.network_outputs import some_inputs
from export.pipeline.options import ExportOptions
from export.pipeline.output_choice import choose_network_output
from export.pipeline.random_frames import RandomFrames, random_frames
from export.pipeline.settle_downloads import settle_downloads
from export.reporter import Reporter
from export.sampling.default_tap import DROP_PROB
from export.sampling.taps import ListedLayers
from lsood_runtime.offline import PixelRules


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
        example: the network's input for the first frame, ``(1, C, H, W)``.
        listed: the layers of the network for that input.
        logits_shape: ``(K, h, w)`` of the network's output; None where the bundle has no segmentation.
        warnings: reasons not to rely on thresholds from these frames.
    """

    options: ExportOptions
    checkpoint: Checkpoint
    frames: FrameFiles
    split: FrameSplit
    ood: FrameFiles | None
    preprocessing: Preprocessing
    example: Tensor
    listed: ListedLayers
    logits_shape: tuple[int, int, int] | None
    warnings: tuple[str, ...]


def resolve_inputs(
    findings: Findings, network: nn.Module | None = None, held: FrameFiles | None = None
) -> ExportInputs | None:
    """Check the options and read the checkpoint and the list of frames; no frame but the first is read.

    What is missing has a stand-in, so that later steps can be attempted: the inputs hold for an export only where there is
    no problem.

    Args:
        findings: hold the options, and gain what is found and the problems.
        network: a live one in place of the checkpoint.
        held: frames that the program holds, in place of those of the options.

    Returns:
        The inputs; None where the network cannot be loaded, or an option has no stand-in.
    """
    given = findings.given
    checked = {check: findings.attempt("options", partial(_passes, check)) for check in OPTION_CHECKS}
    looked_at = [passed for check, passed in checked.items() if check is not _check_limits]  # the gate comes much later
    findings.stage(f"reading {given.ckpt}" if network is None else "copying the network")
    checkpoint = findings.attempt("weights", lambda options: load_network(options, findings, network))
    frames, split, ood = _resolve_frames(findings, held)
    if checkpoint is None:
        return None
    loaded = checkpoint
    if frames is None:
        frames = findings.attempt("input size", lambda options: random_frames(options, loaded))
    if frames is None:
        return None
    seen, unsettled = frames, loaded
    settled = findings.attempt("arguments", lambda options: settle_downloads(options, unsettled, seen, findings))
    loaded = settled or unsettled
    preprocessing = findings.attempt(
        "mean and deviation", lambda options: resolve_preprocessing(options, loaded, seen, findings)
    )
    if isinstance(frames, RandomFrames) and given.crop is None:
        size = f"{frames.shape[0]} x {frames.shape[1]} (height x width) here"
        reason = "nothing states it, an export takes the size of its frames"
        findings.amend(Finding("input size", size, "guessed", reason))
        if any(each.subject == "input size" and each.origin == "guessed" for each in findings.all):
            findings.leave_open("tap", "DropBlock")
    constants = findings.attempt("DropBlock", lambda options: resolve_drop_block(options, loaded))
    if preprocessing is None or constants is None or not all(looked_at):
        return None
    as_found = preprocessing
    chosen = findings.attempt(
        "output",
        lambda options: choose_network_output(options, loaded, with_pad(as_found, options.pad), seen, findings),
    )
    if chosen is None:
        return None
    prepare = with_pad(as_found, findings.options.pad)
    checkpoint, logits_shape = chosen
    network = checkpoint.network
    images = findings.attempt("frames", lambda _: list(some_inputs(prepare, seen, LOOKED_AT)))
    if images is None:
        return None
    listed = ListedLayers(network, images[0])
    sampled = findings.attempt("tap", lambda options: choose_tap(network, images, options, findings, listed))
    findings.options = sampled or findings.options
    if findings.is_open("DropBlock") and sampled is not None:
        reason = "b is chosen for the map at the tap, whose size is not known before that of the frames"
        findings.amend(Finding("DropBlock", f"p = {DROP_PROB:g}, b left open", "guessed", reason))
        for each in findings.all:
            if (each.subject, each.origin) == ("tap", "guessed"):
                findings.amend(replace(each, value=", ".join(sampled.tap), words=()))
    return ExportInputs(
        options=findings.options,
        checkpoint=checkpoint,
        frames=frames,
        split=split or FrameSplit((), np.zeros(0, np.int64), refitted=True),
        ood=ood,
        preprocessing=prepare,
        example=images[0],
        listed=listed,
        logits_shape=logits_shape,
        warnings=(),
    )


def _passes(check: Callable[[ExportOptions], None], options: ExportOptions) -> bool:
    check(options)
    return True


def _resolve_frames(
    findings: Findings, held: FrameFiles | None
) -> tuple[FrameFiles | None, FrameSplit | None, FrameFiles | None]:
    """Calibration frames, their split, and out-of-distribution frames; None for what is missing or not asked for."""
    rules = findings.given.reading.rules
    frames = findings.attempt("frames", lambda options: _given_frames(options, rules, held))
    ood = None
    if findings.given.calibration.ood_frames:
        ood = findings.attempt(
            "frames",
            lambda options: _files_once(options.calibration.ood_frames, options.channels, rules, "--ood-frames"),
        )
    if findings.given.calibration.train_frames:
        findings.attempt("frames", partial(_check_train_frames, rules))
    if frames is None:
        return None, None, ood
    paths = frames.paths
    split = findings.attempt("frames", lambda options: split_frames(paths, options.calibration))
    return frames, split, ood


def _given_frames(options: ExportOptions, rules: PixelRules, held: FrameFiles | None) -> FrameFiles:
    if held is not None:
        if options.frames:
            raise UsageError("expected frames in files or in memory, got both: give the options no frames")
        return held
    if not options.frames:
        raise UsageError(
            "expected in-distribution frames of one camera, got none: give --frames", words=("--frames", PLACEHOLDER)
        )
    return _files_once(options.frames, options.channels, rules, "--frames")


def _check_train_frames(rules: PixelRules, options: ExportOptions) -> None:
    chosen = options.calibration
    drive_names(_files(chosen.train_frames, options.channels, rules, "--train-frames").paths, chosen.group_by)


def _files(paths: Sequence[Path], channels: str, rules: PixelRules, flag: str) -> FrameFiles:
    try:
        return FrameFiles(paths, channels, rules)
    except UsageError as error:
        raise UsageError(str(error), words=(flag, PLACEHOLDER)) from error


def _files_once(paths: Sequence[Path], channels: str, rules: PixelRules, flag: str) -> FrameFiles:
    """Frames, none of which is named twice; those of equal pixels are found when they are read."""
    files = _files(paths, channels, rules, flag)
    try:
        check_each_file_once(files.paths)
    except UsageError as error:
        raise UsageError(str(error), words=(flag, PLACEHOLDER)) from error
    return files


def see_inputs(inputs: ExportInputs, reporter: Reporter) -> ExportInputs:
    """Look at every frame once: the inputs with their still frames, and with warnings.

    Args:
        inputs: of an export, without a problem.
        reporter: told how far the loops over frames have come.

    Raises:
        UsageError: a frame that is there twice, of another size, or that cannot be read.
    """
    chosen = inputs.options.calibration
    causes = own_causes(inputs.options.answers.causes, inputs.frames)
    split, still = see_frames(inputs.frames, inputs.split, reporter, causes)
    if inputs.ood is not None:
        read_each_once(inputs.ood, reporter)
    overlap = check_overlap(inputs.frames, chosen.train_frames, chosen.group_by, reporter)
    return replace(inputs, split=split, warnings=(*still, *overlap))


def check_options(options: ExportOptions) -> None:
    """Refuse wrong options before the checkpoint is read.

    Raises:
        UsageError: options that contradict each other, or a value out of range.
    """
    for check in OPTION_CHECKS:
        check(options)


def _check_neighbors(options: ExportOptions) -> None:
    try:
        check_neighbors(options.mc_samples, options.neighbors)
    except ValueError as error:
        raise UsageError(f"{error}: raise --mc-samples or lower --neighbors") from error


def _check_combinations(options: ExportOptions) -> None:
    for row in wanted_formats(options.format, options.fuse):
        chosen = options.calibration.detector, options.precision.kind, options.masks, options.answers.answers
        check_combination(row, *chosen)


def _check_limits(options: ExportOptions) -> None:
    limits = (options.precision.max_flips, options.precision.max_auroc_loss, options.precision.max_pixel_changes)
    if not all(0 <= limit <= 1 for limit in limits):
        raise UsageError(
            "expected --max-flips, --max-auroc-loss and --max-pixel-changes in [0, 1], got "
            f"{', '.join(f'{limit:g}' for limit in limits)}: give shares of 1"
        )


def _check_answers(options: ExportOptions) -> None:
    if QUALITY in options.answers.wanted and bundle_kind(options.segmentation) == "none":
        raise UsageError(
            f"expected a segmentation with --answers {QUALITY}, got --segmentation none: name --answers {CAUSE} alone, or "
            "keep the segmentation"
        )
    if MAP in options.answers.wanted and bundle_kind(options.segmentation) == "none":
        raise UsageError(
            f"expected a segmentation with --answers {MAP}, got --segmentation none: the map is made of the logits of each "
            f"pixel; leave {MAP} out, or keep the segmentation"
        )
    if options.answers.labels and options.answers.wanted.isdisjoint((QUALITY, MAP)):
        raise UsageError(
            f"expected --labels with --answers {QUALITY} or {MAP}, got them alone: add one of the two, or drop --labels"
        )
    if options.answers.road_classes and MAP not in options.answers.wanted:
        raise UsageError(f"expected --road-class with --answers {MAP}, got it alone: add it, or drop --road-class")
    if options.answers.objects and MAP not in options.answers.wanted:
        raise UsageError(f"expected --objects with --answers {MAP}, got it alone: add it, or drop --objects")
    if options.answers.causes and CAUSE not in options.answers.wanted:
        raise UsageError(f"expected --cause with --answers {CAUSE}, got it alone: add it, or drop --cause")


OPTION_CHECKS: tuple[Callable[[ExportOptions], None], ...] = (
    check_limits,
    _check_neighbors,
    _check_combinations,
    _check_limits,
    _check_answers,
)
"""What can be wrong with options for every checkpoint."""
