# SPDX-License-Identifier: Apache-2.0
"""Measure the overlap of calibration and training frames: on the latter the network is more certain than on new ones."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from export.errors import UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.reporter import Reporter

_SIDE = 16
_ALARMING = 0.2


def thumbnails(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Reduce each frame to 16 x 16 grey values of zero mean and unit length, ``(N, 256)`` float32; zeros for one colour."""
    rows = []
    for frame in frames:
        grey = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).mean(axis=2, dtype=np.float32).ravel()
        grey -= grey.mean()
        length = float(np.linalg.norm(grey))
        rows.append(grey / length if length > 0 else grey)
    return np.array(rows, np.float32).reshape(-1, _SIDE * _SIDE)


def overlap_share(calibration: NDArray[np.float32], training: NDArray[np.float32]) -> float:
    """Measure the share of calibration frames with a training frame as near as their own neighbours in the video.

    Args:
        calibration: ``(N, 256)`` thumbnails in the order of recording.
        training: ``(M, 256)`` thumbnails.

    Returns:
        In [0, 1]: frames whose nearest training frame is no further than the median step between consecutive frames, of
        the set with the larger steps; and no further than half the median distance of frames half the video apart, since
        consecutive frames may be unrelated.
    """
    if min(len(calibration), len(training)) < 2:
        return 0.0
    step = max(float(np.median(np.linalg.norm(np.diff(video, axis=0), axis=1))) for video in (calibration, training))
    apart = np.median(np.linalg.norm(calibration - np.roll(calibration, len(calibration) // 2, axis=0), axis=1))
    step = min(step, float(apart) / 2)
    nearest, _ = cKDTree(training).query(calibration)
    return float((nearest <= step).mean())


def overlap_warning(share: float) -> str | None:
    """Warn where the share is larger than chance resemblance explains; None otherwise."""
    if share <= _ALARMING:
        return None
    return (
        f"{share:.0%} of the calibration frames look like frames that the network was trained on: expect more false alarms "
        "on new drives than the target says"
    )


def check_overlap(
    frames: FrameFiles | None, train_frames: Sequence[Path], group_by: str, reporter: Reporter
) -> list[str]:
    """Warn of calibration frames of drives that the network was trained on, or that look like its training frames.

    Args:
        frames: the calibration frames; None where only their features are known.
        train_frames: folders and files; empty: nothing is compared.
        group_by: the rule that tells drives apart, see :func:`export.frames.drives.drive_names`.
        reporter: told how far the loops over frames have come.

    Raises:
        UsageError: training frames to compare with and no calibration frames, but features of them.
    """
    if not train_frames:
        return []
    if frames is None:
        raise UsageError(
            "expected --frames together with --train-frames, got --features: features do not show what a frame looks like"
        )
    training = FrameFiles(train_frames, frames.channels, frames.rules)
    warnings = []
    if group_by != "none":
        drives = set(drive_names(training.paths, group_by))
        shared = sorted(drives & set(drive_names(frames.paths, group_by)))
        if shared:
            warnings.append(
                f"the network was trained on frames of {', '.join(shared)}: expect more false alarms on new drives than the "
                "thresholds of these say"
            )
    seen = thumbnails(
        reporter.progress((training.read(i) for i in range(len(training))), "training frames", len(training))
    )
    warning = overlap_warning(
        overlap_share(thumbnails(reporter.progress(frames, "looking for overlap", len(frames))), seen)
    )
    return warnings + ([warning] if warning else [])
