# SPDX-License-Identifier: Apache-2.0
"""Find the constants of a network that are not among its weights: preprocessing and DropBlock's.

A value given in the options comes before the checkpoint's.
"""

import math

from torch import nn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.findings import PLACEHOLDER, Finding
from export.frames.files import FrameFiles
from export.layers.dropblock import DropBlockRandomness
from export.layers.preprocessing import Preprocessing
from export.models import DeepLabV3PlusModule
from export.pipeline.found_input import find_input
from export.pipeline.found_normalisation import FoundNormalisation, find_normalisation
from export.pipeline.found_size import check_crop
from export.pipeline.imagenet_order import contradiction
from export.pipeline.normalisation_scale import check_scale
from export.pipeline.options import ExportOptions
from export.pipeline.preprocessor_config import read_preprocessor_config
from export.reporter import SILENT, Reporter


def resolve_preprocessing(
    options: ExportOptions, checkpoint: Checkpoint, frames: FrameFiles, reporter: Reporter = SILENT
) -> Preprocessing:
    """Choose size, normalisation and crop of the network's input, and report where each comes from.

    Args:
        options: flags.
        checkpoint: network and hyper-parameters.
        frames: of the camera's size.
        reporter: told what was found beside the flags, and what contradicts it.

    Raises:
        UsageError: the normalisation is not known or in another unit, or crop, frame and input do not fit together.
        ConversionError: the network keeps constants of normalisation, and raises an exception.
    """
    if options.crop is not None:
        check_crop(options.crop)
    top, left, crop_height, crop_width = options.crop or (0, 0, *frames.shape[:2])
    if top + crop_height > frames.shape[0] or left + crop_width > frames.shape[1]:
        raise UsageError(
            f"expected --crop inside frames of {frames.shape[0]} x {frames.shape[1]} (height x width), got rows {top} to "
            f"{top + crop_height}, columns {left} to {left + crop_width}: move or shrink it"
        )
    config = read_preprocessor_config(checkpoint.path)
    found_input = find_input(options, checkpoint, config, (crop_height, crop_width))
    size, padding, order = found_input.size, found_input.padding, found_input.order
    if options.resize == "refuse" and (size.height, size.width) != (crop_height, crop_width):
        raise UsageError(
            f"expected what the network sees of a frame to have its input size {size.height} x {size.width} (height x "
            f"width), got {crop_height} x {crop_width}: choose --crop or --input-size so that they agree, or allow "
            "--resize bilinear",
            words=("--resize", "bilinear"),
        )
    found = find_normalisation(options, checkpoint, config, found_input.shape[1:], order)
    try:
        preprocessing = Preprocessing(
            size.height,
            size.width,
            found.mean,
            found.std,
            options.channels,
            options.crop,
            order.order,
            found_input.pad,
        )
    except ValueError as error:
        raise UsageError(f"{error}: check --mean, --std and --crop", words=_unusable(found)) from error
    if not options.force:
        check_scale(found.mean, found.std)
    reporter.found(size.finding, found.finding, *padding.findings)
    if order.source is not None:
        reporter.stage(f"the network takes {order.order.upper()}, by {order.source}")
    said = [text for mean in (found.mean, found.inner_mean) if (text := contradiction(mean, order.order))]
    if said and options.network_channels is None and order.source is None:
        reporter.found(Finding("channels", order.order, "guessed", said[0]))
    for text in said:
        reporter.stage(f"warning: {text}")
    for line in (*size.warnings, *padding.warnings, *found.warnings):
        reporter.stage(line)
    return preprocessing


def _unusable(found: FoundNormalisation) -> tuple[str, ...]:
    """The flags whose values no preprocessing can have, with placeholders."""
    wrong = [] if all(map(math.isfinite, found.mean)) else ["--mean"]
    wrong += [] if all(math.isfinite(value) and value > 0 for value in found.std) else ["--std"]
    return tuple(word for name in wrong for word in (name, *[PLACEHOLDER] * 3))


def with_pad(preprocessing: Preprocessing, multiple: int | None) -> Preprocessing:
    """Preprocessing that pads to a multiple that was given since, all else as it is; None for as it is."""
    if multiple is None:
        return preprocessing
    return Preprocessing(
        preprocessing.height,
        preprocessing.width,
        preprocessing.mean,
        preprocessing.std,
        preprocessing.channels,
        preprocessing.crop,
        preprocessing.network_channels,
        (-preprocessing.height % multiple, -preprocessing.width % multiple),
    )


def resolve_drop_block(options: ExportOptions, checkpoint: Checkpoint) -> tuple[float | None, int | None]:
    """Choose DropBlock's constants by flags; None and None where the network's own layers have theirs.

    One flag alone is completed from the network's DropBlock layers. A checkpoint of the guide does not hold these constants,
    which were in the code that trained it: there the layers' own values mean nothing.

    Raises:
        UsageError: a constant is missing or out of range.
    """
    given = {"drop_prob": options.drop_prob, "block_size": options.block_size}
    unknown = [name for name in given if name not in checkpoint.hyper_parameters and given[name] is None]
    if unknown and isinstance(checkpoint.network, DeepLabV3PlusModule):
        raise UsageError(
            "expected --drop-prob and --block-size, the checkpoint does not carry DropBlock's constants "
            "(the guide's code had 0.5 and 8 in 2024, 0.2 and 12 in 2023: look into the code that trained it)",
            words=[word for name in unknown for word in (f"--{name.replace('_', '-')}", PLACEHOLDER)],
        )
    drop_prob, block_size = options.drop_prob, options.block_size
    if drop_prob is None and block_size is None:
        return None, None
    own = {DropBlockRandomness.recognise(module) for module in nn.Module.modules(checkpoint.network)} - {None}
    if drop_prob is None or block_size is None:
        if len(own) != 1:
            other = "--drop-prob" if drop_prob is None else "--block-size"
            raise UsageError(
                "expected --drop-prob and --block-size, got one of them: give both or neither",
                words=(other, PLACEHOLDER),
            )
        (constants,) = own
        assert constants is not None
        drop_prob = constants.drop_prob if drop_prob is None else drop_prob
        block_size = constants.block_size if block_size is None else block_size
    if not 0 < drop_prob < 1 or block_size is None or block_size < 1:
        raise UsageError(
            f"expected --drop-prob in (0, 1) and --block-size of at least 1, got {drop_prob} and {block_size}: "
            "0.5 and 8 are usual choices",
            words=("--drop-prob", PLACEHOLDER, "--block-size", PLACEHOLDER),
        )
    return drop_prob, block_size
