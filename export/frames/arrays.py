# SPDX-License-Identifier: Apache-2.0
"""Frames that a program holds in memory, in the place of files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.frames.files import FrameFiles
from lsood_runtime.offline import AS_STATED


class ArraySequence(Protocol):
    """An ``(N, H, W, 3)`` array, a list of ``(H, W, 3)`` ones, or whatever else has a length and gives frames by number."""

    def __len__(self) -> int:
        """How many frames there are."""

    def __getitem__(self, index: int, /) -> Any:
        """Frame ``index``, ``(H, W, 3)`` uint8; several threads may ask at the same time."""


class FrameArrays(FrameFiles):
    """Frames of one camera in the order of recording, which a program holds itself; none is written to a file.

    A frame is called by its place, as ``frames[17]``, where a file has its name. Frames of named drives are told apart by the
    rule ``folder``.

    Args:
        frames: ``(H, W, 3)`` uint8 each, all of one size, in the order of ``channels``; read when they are asked for, each as
            a copy.
        drives: name of the drive of each frame; None where they are all of one.
        channels: order of a frame's last axis, ``rgb`` or ``bgr``, as the vehicle hands it over.

    Raises:
        UsageError: no frame, a first one that is none, or drives that do not name every frame.
    """

    in_memory = True

    def __init__(self, frames: ArraySequence, drives: Sequence[str] | None = None, channels: str = "rgb") -> None:
        self._frames, self.channels, self.rules = frames, channels, AS_STATED
        if not len(frames):
            raise UsageError("expected one or more frames, got none: give those of a drive or more")
        self.paths = list(_names(len(frames), drives))
        self.shape = self.read(0).shape

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``.

        Raises:
            UsageError: it is no frame, or has another size than the first.
        """
        frame = self.read(index)
        if frame.shape != self.shape:
            (rows, columns), (height, width) = frame.shape[:2], self.shape[:2]
            raise UsageError(
                f"expected frames of one size, {height} x {width} (height x width) as in frames[0], got {rows} x {columns} "
                f"in frames[{index}]: calibrate one camera at a time"
            )
        return frame

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``, whatever its size."""
        given = self._frames[index]
        try:
            frame = np.asarray(given)
        except (TypeError, ValueError) as error:  # a tuple of frame and label, a tensor of a GPU
            raise UsageError(
                f"expected an (H, W, 3) uint8 array at frames[{index}], got {type(given).__name__}: give the frames alone"
            ) from error
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise UsageError(
                f"expected (H, W, 3) uint8 at frames[{index}], got {frame.shape} {frame.dtype}: give the pictures as the "
                "camera hands them over"
            )
        return np.array(frame, order="C")


def _names(count: int, drives: Sequence[str] | None) -> Iterator[Path]:
    """What stands for the paths of frames: their places, in a folder for each drive."""
    if drives is not None and len(drives) != count:
        raise UsageError(f"expected the drive of each of {count} frames, got {len(drives)} names: name one for each")
    for index in range(count):
        drive = Path() if drives is None else _folder(drives[index])
        yield drive / f"frames[{index}]"


def _folder(drive: str) -> Path:
    if not drive or drive in (".", "..") or "/" in drive or "\0" in drive:
        raise UsageError(f"expected names of drives without a slash, got {drive!r}: name them otherwise")
    return Path(drive)
