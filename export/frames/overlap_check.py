# SPDX-License-Identifier: Apache-2.0
"""What calibration asks of frames before the network sees them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from export.frames.drives import drive_names
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.frames.overlap import overlap_share, overlap_warning, thumbnails

T = TypeVar("T")


class Progress(Protocol):
    """Wraps a loop."""

    def __call__(self, items: Iterable[T], what: str, total: int, /) -> Iterable[T]:
        """The items, one by one.

        Args:
            items: over frames, most often.
            what: is done with them.
            total: how many there are.
        """


def without_progress(items: Iterable[T], _: str, __: int) -> Iterable[T]:
    """A loop that tells nobody."""
    return items


def check_overlap(
    frames: FrameFiles | None, train_frames: Sequence[Path], group_by: str, progress: Progress
) -> list[str]:
    """Warnings about calibration frames of drives that the network was trained on, or that look like its frames.

    Args:
        frames: the calibration frames; None where only their features are known.
        train_frames: folders and files; empty: nothing is compared.
        group_by: the rule that tells drives apart, see :func:`export.frames.drives.drive_names`.
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
