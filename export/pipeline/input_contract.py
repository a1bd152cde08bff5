# SPDX-License-Identifier: Apache-2.0
"""The input contract of a bundle: what the vehicle hands over, and what the graph makes of it."""

from export.frames.files import FrameFiles
from export.layers.preprocessing import Preprocessing
from lsood_runtime.offline import InputContract


def input_contract(preprocessing: Preprocessing, frames: FrameFiles) -> InputContract:
    """State the input of a monitor.

    Args:
        preprocessing: from a frame to the network's input.
        frames: in-distribution frames, of the camera's size.
    """
    return InputContract(
        channels=preprocessing.channels,
        frame_height=frames.shape[0],
        frame_width=frames.shape[1],
        network_height=preprocessing.height,
        network_width=preprocessing.width,
        crop=preprocessing.crop,
        resize="bilinear-antialias",
        mean=preprocessing.mean,
        std=preprocessing.std,
        network_channels=preprocessing.network_channels,
        pad=preprocessing.pad,
    )
