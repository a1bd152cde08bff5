# SPDX-License-Identifier: Apache-2.0
"""In-distribution frames that the shipped detector was not fitted on, to compare and replay its scores by."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from export.calibration.frame_split import FrameSplit
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles


def unseen_frames(frames: FrameFiles, split: FrameSplit, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield evenly spaced frames: those that set the thresholds, mirrored left to right where they fitted the detector too.

    A density hardly changes around a frame that it was fitted on, so that a wrong feature of it would not show in its score.

    Args:
        frames: of the calibration.
        split: their roles.
        count: how many; fewer where there are not so many.
    """
    for index in evenly_spaced(split.scored, count):
        frame = frames[int(index)]
        yield np.ascontiguousarray(frame[:, ::-1]) if split.refitted else frame
