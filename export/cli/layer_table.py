# SPDX-License-Identifier: Apache-2.0
"""List the layers of a network for ``--list-layers``, so that a user can choose a tap."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import run_once
from export.errors import UsageError
from export.findings import Finding
from export.frames.files import FrameFiles
from export.pipeline.found_pad import check_pad
from export.pipeline.found_size import check_size
from export.pipeline.hyper_parameters import known_input_size
from export.sampling.feature_layers import resolve_feature_layers
from export.sampling.taps import LayerInfo
from lsood_runtime.offline import AS_STATED, PixelRules, printable

_HEADER = ("layer", "class", "output", "parameters so far", "tap", "moments", "stochastic")


def example_input(
    checkpoint: Checkpoint,
    input_size: tuple[int, int] | None = None,
    frames: Sequence[Path] = (),
    rules: PixelRules = AS_STATED,
    pad: int = 1,
    channels: int = 3,
) -> Tensor:
    """Make the input of a checkpoint's network for a black frame, ``(1, C, H, W)``, and run the network on it once.

    Args:
        checkpoint: the network, and perhaps the size of its input.
        input_size: ``(height, width)`` of the input; None for the checkpoint's, else the frames'.
        frames: camera frames, of which the size counts.
        rules: how they are read.
        pad: rows and columns are added up to a multiple of it.
        channels: C.

    Raises:
        UsageError: no size is known, or there are no such frames.
        ConversionError: the network cannot run on such an input.
    """
    size = input_size or known_input_size(checkpoint.hyper_parameters)
    if size is None:
        if not frames:
            raise UsageError(
                "expected --input-size or --frames to list the layers, the checkpoint carries no input_size: give one of them"
            )
        size = FrameFiles(frames, rules=rules).shape[:2]
    height, width = size
    check_size(height, width)
    check_pad(pad)
    example = torch.zeros(1, channels, height + -height % pad, width + -width % pad)
    run_once(checkpoint.network, example)
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


def layer_table(layers: Sequence[LayerInfo], taps: Mapping[str, Finding], observed: Collection[str]) -> str:
    """Format one line for each call of a layer, in columns, and one for why the default tap is what it is.

    Args:
        layers: in the order of execution.
        taps: layers that an export samples, each with where it comes from.
        observed: layers whose moments are features.
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
    return "\n".join([*lines, *map(printable, reasons)])
