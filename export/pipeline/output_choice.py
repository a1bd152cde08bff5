# SPDX-License-Identifier: Apache-2.0
"""Choose the output of a checkpoint's network on the first calibration frame."""

from dataclasses import replace

import numpy as np
import torch

from export.checkpoint.choose_output import choose_output
from export.checkpoint.load import Checkpoint
from export.checkpoint.output_grid import check_output_grid
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from export.pipeline.network_options import NetworkOptions
from export.reporter import Reporter


def choose_network_output(
    options: NetworkOptions,
    checkpoint: Checkpoint,
    preprocessing: Preprocessing,
    frames: FrameFiles,
    reporter: Reporter,
) -> tuple[Checkpoint, tuple[int, int, int] | None]:
    """Run the network on the first frame, and choose the tensor that is its segmentation.

    Args:
        options: kind of the segmentation, and what the user says of the output.
        checkpoint: the network.
        preprocessing: frames to its input.
        frames: of the calibration.
        reporter: told what was chosen and why.

    Returns:
        The checkpoint, whose network now returns that tensor alone, and the ``(K, h, w)`` of its logits of the frame alone;
        None for kind ``none``.

    Raises:
        UsageError: what is returned for each class is stated, and there is to be no segmentation.
        ConversionError: the network cannot be run, or its output is no segmentation, or the map of a larger input.
    """
    if options.segmentation == "none" and options.network_output is not None:
        raise UsageError(
            f"expected no --network-output with --segmentation none, got {options.network_output}: leave one of them out"
        )
    example = preprocessing(torch.from_numpy(np.array(frames[0]))[None])
    found = choose_output(checkpoint.network, example, options.segmentation, output=options.output)
    reporter.found(*found.findings)
    shape = found.logits_shape
    if shape is not None:
        size = (preprocessing.height, preprocessing.width)
        taken = check_output_grid(found.network, example, size, (shape[1], shape[2]))
        reporter.found(*([] if taken is None else [taken]))
        classes, height, width = preprocessing.of_frame(torch.empty(1, *shape, device="meta")).shape[1:]
        shape = classes, height, width
    return replace(checkpoint, network=found.network), shape
