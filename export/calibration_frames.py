# SPDX-License-Identifier: Apache-2.0
"""What calibration asks of frames before the network sees them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.drives import drive_names
from export.errors import UsageError
from export.frames import FrameFiles
from export.overlap import overlap_share, overlap_warning, thumbnails

Progress = Callable[[Iterable[NDArray[np.uint8]], str, int], Iterable[NDArray[np.uint8]]]
"""Wraps a loop over frames, given what it does and how many there are."""


def check_overlap(
    frames: FrameFiles | None, train_frames: Sequence[Path], group_by: str, progress: Progress
) -> list[str]:
    """Warnings about calibration frames of drives that the network was trained on, or that look like its frames.

    Args:
        frames: the calibration frames; None where only their features are known.
        train_frames: folders and files; empty: nothing is compared.
        group_by: the rule that tells drives apart, see :func:`export.drives.drive_names`.
        progress: wraps the loops over frames.

    Raises:
        UsageError: training frames to compare with and no calibration frames, but features of them.
    """
    if not train_frames:
        return []
    if frames is None:
        raise UsageError("expected --train-frames together with --frames: features do not show what a frame looks like")
    training = FrameFiles(train_frames, frames.channels)
    warnings = []
    if group_by != "none":
        drives = set(drive_names(training.paths, group_by))
        shared = sorted(drives & set(drive_names(frames.paths, group_by)))
        if shared:
            warnings.append(
                f"the network was trained on frames of {', '.join(shared)}: thresholds of these drives promise too much for "
                "drives that it never saw"
            )
    seen = thumbnails(progress((training.read(i) for i in range(len(training))), "training frames", len(training)))
    warning = overlap_warning(overlap_share(thumbnails(progress(frames, "looking for overlap", len(frames))), seen))
    return warnings + ([warning] if warning else [])
