# SPDX-License-Identifier: Apache-2.0
"""Kinds of degradation of a user's own: frames that show one, in folders, from which its cause is learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

from export.calibration.cause_names import FEWEST_OWN
from export.destination import real_path
from export.errors import CalibrationError, UsageError
from export.frames.drives import drive_names
from export.frames.files import FrameFiles
from export.frames.repeated import SeenFrames, check_each_file_once, check_sets_apart, read_each_once, shared_warning
from export.reporter import Reporter

MOST_OWN = 200
"""Frames of a kind that are measured, at most: about as many as each other kind has."""

_SHOWN = 3


@dataclass(frozen=True, eq=False)
class OwnCause:
    """A kind of degradation that a user has frames of.

    Attributes:
        name: of the kind.
        files: frames that show it, whatever its severity.
        drives: of each frame its folder, behind the name of the kind.
    """

    name: str
    files: FrameFiles
    drives: tuple[str, ...]

    @classmethod
    def of(cls, name: str, files: FrameFiles) -> Self:
        """A kind whose folders are its drives."""
        return cls(name, files, tuple(f"{name}: {drive}" for drive in drive_names(files.paths, "folder")))


def own_causes(causes: Mapping[str, Sequence[Path]], frames: FrameFiles) -> tuple[OwnCause, ...]:
    """Find the frames of each kind of a user's own, before any is measured; of each kind the first one is read.

    Args:
        causes: folders and files by the name of the kind.
        frames: of the calibration.

    Raises:
        UsageError: no frames, frames of another size, or files that are calibration frames or of another kind too.
        CalibrationError: too few frames of a kind.
    """
    found = tuple(OwnCause.of(name, FrameFiles(paths, frames.channels, frames.rules)) for name, paths in causes.items())
    for own in found:
        if len(own.files) < FEWEST_OWN:
            raise CalibrationError(
                f"expected at least {FEWEST_OWN} frames of the cause {own.name}, got {len(own.files)}: add some, or drop it"
            )
        if own.files.shape != frames.shape:
            (rows, columns), (height, width) = own.files.shape[:2], frames.shape[:2]
            raise UsageError(
                f"expected frames of the cause {own.name} of the size of the calibration frames, {height} x {width} (height "
                f"x width), got {rows} x {columns} in {own.files.paths[0].name}: take frames of the same camera"
            )
        check_each_file_once(own.files.paths)
        _check_files_apart(own.files, frames, f"frames of the cause {own.name}", "calibration frames")
    for one, other in combinations(found, 2):
        _check_files_apart(other.files, one.files, f"frames of the cause {other.name}", f"frames of {one.name}")
    return found


def see_own_causes(known: SeenFrames, causes: Sequence[OwnCause], reporter: Reporter) -> list[str]:
    """Look at every frame of the kinds of a user's own, and warn of those that look like frames of the calibration.

    Args:
        known: the frames of the calibration.
        causes: kinds.
        reporter: told how many are read.

    Raises:
        UsageError: a frame that is there twice, is a calibration frame or one of another kind by its pixels, or that cannot
            be read.
    """
    warnings, before = [], [("calibration frames", known)]
    for own in causes:
        seen, name = read_each_once(own.files, reporter), f"frames of the cause {own.name}"
        for other, frames in before:
            check_sets_apart(frames, seen, (other, name))
        warnings.append(shared_warning(known, seen, ("the calibration", f"the cause {own.name}")))
        before.append((name, seen))
    return [warning for warning in warnings if warning]


def _check_files_apart(files: FrameFiles, others: FrameFiles, name: str, other: str) -> None:
    known = {real_path(path) for path in others.paths}
    both = [path for path in files.paths if real_path(path) in known]
    if both:
        shown = ", ".join(str(path) for path in both[:_SHOWN])
        raise UsageError(
            f"expected {name} that are no {other}, got {len(both)} of {len(files)} that are both: {shown}; take them out of "
            "one"
        )
