# SPDX-License-Identifier: Apache-2.0
"""List the layers of a network for ``--list-layers``, so that a user can choose a tap."""

from collections.abc import Sequence
from pathlib import Path

import torch

from export.checkpoint.load import Checkpoint
from export.checkpoint.probe import run_once
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.sampling.taps import LayerInfo, list_layers

_HEADER = ("layer", "class", "output", "parameters so far", "stochastic")


def network_layers(
    checkpoint: Checkpoint, input_size: tuple[int, int] | None = None, frames: Sequence[Path] = ()
) -> list[LayerInfo]:
    """Run a checkpoint's network on a black frame and list its layers in the order of execution.

    Args:
        checkpoint: the network, and perhaps the size of its input.
        input_size: ``(height, width)`` of the input; None for the checkpoint's, else the frames'.
        frames: camera frames, of which the size counts.

    Raises:
        UsageError: no size is known, or there are no such frames.
        ConversionError: the network cannot run on such an input.
    """
    size = input_size or checkpoint.hyper_parameters.get("input_size")
    if size is None:
        if not frames:
            raise UsageError(
                "expected --input-size or --frames to list the layers, the checkpoint carries no input_size: give one of them"
            )
        size = FrameFiles(frames).shape[:2]
    height, width = size
    if min(height, width) < 1:
        raise UsageError(f"expected --input-size of at least 1 x 1, got {height} x {width}: give rows and columns")
    example = torch.zeros(1, 3, height, width)
    run_once(checkpoint.network, example)
    return list_layers(checkpoint.network, example)


def layer_table(layers: Sequence[LayerInfo]) -> str:
    """Format one line for each call of a layer, in columns."""
    rows = [_HEADER] + [
        (
            layer.name,
            layer.class_name,
            "no tensor" if layer.output_shape is None else " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters_so_far:,}",
            layer.stochastic or "",
        )
        for layer in layers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
