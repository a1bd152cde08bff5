# SPDX-License-Identifier: Apache-2.0
"""What calibration asks of frames before the network sees them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.frames import FrameFiles
from export.overlap import overlap_share, overlap_warning, thumbnails

Progress = Callable[[Iterable[NDArray[np.uint8]], str, int], Iterable[NDArray[np.uint8]]]
"""Wraps a loop over frames, given what it does and how many there are."""


def check_overlap(frames: FrameFiles | None, train_frames: Sequence[Path], progress: Progress) -> list[str]:
    """Warnings about calibration frames that look like training frames; none without training frames to compare with.

    Raises:
        UsageError: training frames to compare with and no calibration frames, but features of them.
    """
    if not train_frames:
        return []
    if frames is None:
        raise UsageError("expected --train-frames together with --frames: features do not show what a frame looks like")
    training = FrameFiles(train_frames, frames.channels)
    seen = thumbnails(progress((training.read(i) for i in range(len(training))), "training frames", len(training)))
    warning = overlap_warning(overlap_share(thumbnails(progress(frames, "looking for overlap", len(frames))), seen))
    return [warning] if warning else []
