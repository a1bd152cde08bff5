# SPDX-License-Identifier: Apache-2.0
"""List the layers of a network for ``--list-layers``, so that a user can choose a tap."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import run_once
from export.errors import UsageError
from export.findings import Finding
from export.frames.files import FrameFiles
from export.pipeline.found_input import FoundInput, find_input
from export.pipeline.found_size import check_crop
from export.pipeline.hyper_parameters import known_input_size
from export.pipeline.options import ExportOptions
from export.pipeline.preprocessor_config import read_preprocessor_config
from export.pipeline.random_frames import random_frames
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.taps import LayerInfo
from lsood_runtime.offline import printable

_HEADER = ("layer", "class", "output", "parameters so far", "tap", "moments", "stochastic")


def listed_input(options: ExportOptions, checkpoint: Checkpoint) -> FoundInput:
    """Find the input of a checkpoint's network as an export does.

    Args:
        options: their ``frames`` may be empty where an option or the checkpoint states the size.
        checkpoint: the network, and perhaps the size of its input.

    Raises:
        UsageError: no size is known, or no picture has it.
    """
    given = (*options.frames, options.crop, options.input_size, known_input_size(checkpoint.hyper_parameters))
    if not any(given):
        raise UsageError(
            "expected --input-size or --frames to list the layers, the checkpoint carries no input_size: give one of them"
        )
    if options.crop is not None:
        check_crop(options.crop)
        seen = options.crop[2:]
    elif options.frames:
        seen = FrameFiles(options.frames, rules=options.reading.rules).shape[:2]
    else:
        seen = random_frames(options, checkpoint).shape[:2]
    return find_input(options, checkpoint, read_preprocessor_config(checkpoint.path), (seen[0], seen[1]))


def black_input(network: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """Make an input of zeros, ``(1, C, H, W)``, and run the network on it once.

    Raises:
        ConversionError: the network cannot run on such an input.
    """
    example = torch.zeros(1, *shape)
    run_once(network, example)
    return example


def observed_layers(
    network: nn.Module, example: Tensor, taps: Sequence[str], feature_layers: Sequence[str]
) -> frozenset[str]:
    """Names of the layers whose moments an export would take: the taps, and those that are named or chosen by default.

    Args:
        network: in evaluation mode.
        example: an input of it.
        taps: that the export samples; none where the network has no default.
        feature_layers: names that the user gave; none for the default.

    Raises:
        TapError: a name that the network does not have.
    """
    return frozenset((*taps, *resolve_feature_layers(network, example, feature_layers, taps)))


def layer_table(
    layers: Sequence[LayerInfo], taps: Mapping[str, Finding], observed: Collection[str], found: Sequence[Finding] = ()
) -> str:
    """Format one line for each call of a layer, in columns, then where input and default tap come from.

    Args:
        layers: in the order of execution.
        taps: layers that an export samples, each with where it comes from.
        observed: layers whose moments are features.
        found: of the input.
    """
    marks = {tap: "given" if finding.origin == "given" else "default" for tap, finding in taps.items()}
    rows = [_HEADER] + [
        (
            printable(layer.name),
            printable(layer.class_name),
            "no tensor" if layer.output_shape is None else " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters_so_far:,}",
            marks.get(layer.name, ""),
            "taken" if layer.name in observed else "",
            layer.stochastic or "",
        )
        for layer in layers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [
        "  ".join(
            cell.rjust(width) if column == 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    reasons = dict.fromkeys(f"default {finding.sentence}" for finding in taps.values() if finding.origin != "given")
    stated = [finding.sentence for finding in found if finding.origin != "given"]
    return "\n".join([*lines, *map(printable, (*stated, *reasons))])
