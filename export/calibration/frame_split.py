# SPDX-License-Identifier: Apache-2.0
"""Which calibration frames fit the detector and which set the thresholds: all of them in turn, or named drives apart."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.calibration.conformal import set_threshold
from export.calibration.options import AUTO, CalibrationOptions
from export.calibration.own_causes import OwnCause, see_own_causes
from export.detectors.cross_fit import fold_numbers
from export.detectors.registry import FUSED, detector_spec
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_doubts, drive_names, frames_of_drives
from export.frames.files import FrameFiles
from export.frames.repeated import copies, copies_warning, read_each_once, still_frames, still_warning
from export.reporter import Reporter

_NAMED_AT_MOST = 8
_HARM = "they score themselves, and the threshold is far too low"


@dataclass(frozen=True, eq=False)
class FrameSplit:
    """The roles of the calibration frames.

    Attributes:
        drives: ``(N,)`` name of the drive of each frame, in the order of recording.
        fold: ``(N,)`` fold in which the frame is left out and scored; -1 for a frame that fits the detector only.
        refitted: whether the shipped detector is fitted on all frames after the cross-fit; False where the frames that set
            the thresholds fit nothing.
        still: ``(N,)``, whether the picture is nearly that of the frame before it, where pictures were seen; None elsewhere.
    """

    drives: tuple[str, ...]
    fold: NDArray[np.int64]
    refitted: bool
    still: NDArray[np.bool_] | None = None

    @property
    def scored(self) -> NDArray[np.int64]:
        """Indices of the frames that set the thresholds, ascending."""
        return np.flatnonzero(self.fold >= 0)

    @property
    def fitted(self) -> NDArray[np.int64]:
        """Indices of the frames that the shipped detector is fitted on, ascending."""
        return np.arange(len(self.fold)) if self.refitted else np.flatnonzero(self.fold < 0)

    @property
    def folds(self) -> int:
        """Number of folds of the cross-fit; 0 where the frames that set the thresholds fit nothing."""
        return len(np.unique(self.fold)) if self.refitted else 0

    @property
    def left_out(self) -> NDArray[np.int64]:
        """Indices of the frames of the first fold, ascending; without a cross-fit all that set the thresholds."""
        return np.flatnonzero(self.fold == 0)

    def names(self, indices: NDArray[np.int64]) -> list[str]:
        """Drives of some frames."""
        return [self.drives[int(i)] for i in indices]

    @property
    def sentence(self) -> str:
        """How the frames were used, in words."""
        scored, count = len(self.scored), len(self.fold)
        held = list(Counter(self.names(self.scored)))
        if not self.refitted:
            listed = ", ".join(held[:_NAMED_AT_MOST]) + (
                f" and {len(held) - _NAMED_AT_MOST} more" if len(held) > _NAMED_AT_MOST else ""
            )
            return f"{scored} of {count} frames, whole drives that fitted nothing: {listed}"
        what = f"{self.folds} folds of {len(held)} whole drives, dealt at random"
        if len(held) == 1:
            what = f"{self.folds} contiguous blocks of their drive"
        return f"all {count} frames, each scored by a detector fitted without its fold: {what}; then fitted on all"


def split_frames(paths: Sequence[Path], options: CalibrationOptions) -> FrameSplit:
    """Give each frame its drive and its role; wrong options are refused here, before anything is measured.

    Raises:
        UsageError: options that contradict each other, or a rule that cannot name the drives.
        CalibrationError: frames that cannot be split, or too few frames or drives for a rate.
    """
    if options.folds < 2:
        raise UsageError(f"expected --folds of at least 2, got {options.folds}: 5 is the default")
    options.check_detector()
    drives = drive_names(paths, options.group_by)
    chosen = frames_of_drives(drives, options.threshold_drives)
    names = [drive for drive, sets in zip(drives, chosen, strict=True) if sets]
    for rate in options.rates.values():
        set_threshold(np.zeros(len(names)), names, rate, guarantee=options.guarantee, weigh=options.weigh)
    named = bool(options.threshold_drives)
    fold = np.where(chosen, 0, -1) if named else fold_numbers(drives, options.folds, options.seed)
    split = FrameSplit(drives, fold, refitted=not named)
    _check_fits(split, options)
    return split


def _check_fits(split: FrameSplit, options: CalibrationOptions) -> None:
    """Refuse a detector of one part that the frames of some fit are too few for.

    Raises:
        CalibrationError: they are.
    """
    if options.detector in (FUSED, AUTO) or options.ood_frames:  # of which it is not known how many there are
        return
    smallest = len(split.fitted) - (np.bincount(split.fold).max() if split.refitted else 0)
    fewest, most = detector_spec(options.detector).fewest_frames, options.pca or 0
    if smallest < fewest:
        raise CalibrationError(
            f"expected at least {fewest} frames to fit {options.detector}, got {smallest}: calibrate on more"
        )
    if most > smallest:
        raise CalibrationError(
            f"expected at most {smallest} PCA components, as many as frames fit a detector, got {most}: lower --pca, or "
            "calibrate on more frames"
        )


def see_frames(
    files: FrameFiles, split: FrameSplit, reporter: Reporter, causes: Sequence[OwnCause] = ()
) -> tuple[FrameSplit, list[str]]:
    """Look at the calibration frames before anything is measured: the split with its still frames, and warnings.

    Args:
        files: the frames.
        split: of them.
        reporter: told how many are read.
        causes: kinds of a user's own, whose frames are looked at too.

    Raises:
        UsageError: a frame that is there twice, of another size than the first, or that cannot be read.
    """
    seen = read_each_once(files, reporter)
    of_causes = see_own_causes(seen, causes, reporter)
    still = still_frames(seen.grey, split.drives)
    again = copies(seen.grey, still, split.drives)
    warnings = [still_warning(still), copies_warning(again, seen.paths, _HARM)]
    return replace(split, still=still), [
        *(warning for warning in warnings if warning),
        *drive_doubts(seen.paths, split.drives),
        *of_causes,
    ]
