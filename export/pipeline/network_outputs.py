# SPDX-License-Identifier: Apache-2.0
"""Outputs of a network for some of the calibration frames, to look at before anything costly."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from export.checkpoint.probe import run_once
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing

_COUNT = 4


def some_inputs(preprocessing: Preprocessing, frames: FrameFiles, count: int = _COUNT) -> Iterator[Tensor]:
    """Yield the network's input for evenly spaced frames, one at a time."""
    for index in evenly_spaced(np.arange(len(frames)), count):
        yield preprocessing(torch.from_numpy(np.array(frames[int(index)]))[None])


def outputs_of(network: nn.Module, preprocessing: Preprocessing, frames: FrameFiles) -> Iterator[Tensor]:
    """Yield the output for evenly spaced frames, one at a time.

    Args:
        network: in evaluation mode; it returns one tensor.
        preprocessing: frames to its input.
        frames: of the calibration.

    Raises:
        ConversionError: the network raises an exception.
    """
    for image in some_inputs(preprocessing, frames):
        output = run_once(network, image)
        assert isinstance(output, Tensor)  # check_logits has seen to it
        yield output
