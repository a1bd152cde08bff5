# SPDX-License-Identifier: Apache-2.0
"""Random pictures in place of camera frames, to look at a network before there are any."""

import numpy as np
from numpy.typing import NDArray

from export.checkpoint.load import Checkpoint
from export.frames.files import FrameFiles
from export.pipeline.found_size import check_crop, check_size
from export.pipeline.hyper_parameters import known_input_size
from export.pipeline.network_options import NetworkOptions
from lsood_runtime.offline import AS_STATED

_COUNT = 8
_UNSTATED = (256, 512)


class RandomFrames(FrameFiles):
    """Random pictures of one size, brighter and darker ones, the same each time.

    Args:
        height: rows.
        width: columns.
    """

    in_memory = True

    def __init__(self, height: int, width: int) -> None:
        self.paths, self.channels, self.rules = [], "rgb", AS_STATED
        self.shape = (height, width, 3)

    def __len__(self) -> int:
        """How many there are."""
        return _COUNT

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Picture ``index``."""
        brightness = 256 * (1 + index % _COUNT) / _COUNT
        return np.random.default_rng(index).uniform(0, brightness, self.shape).astype(np.uint8)


def random_frames(options: NetworkOptions, checkpoint: Checkpoint) -> RandomFrames:
    """Random pictures of the size that a camera may have: the crop and what lies above and left of it, else the input's.

    Raises:
        UsageError: the checkpoint's input size is of a form that is not understood, or there is no picture of the size.
    """
    if options.crop is not None:
        check_crop(options.crop)
        top, left, height, width = options.crop
        return RandomFrames(top + height, left + width)
    height, width = options.input_size or known_input_size(checkpoint.hyper_parameters) or _UNSTATED
    check_size(height, width)
    return RandomFrames(height, width)
