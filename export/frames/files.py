# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from files, in order and of one size."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from lsood_runtime import MediaError
from lsood_runtime.offline import (
    AS_STATED,
    IMAGE_SUFFIXES,
    PixelRules,
    find_files,
    image_size,
    in_flags,
    is_file_or_lost,
    read_image,
)


def read_frame(path: Path, rules: PixelRules = AS_STATED) -> NDArray[np.uint8]:
    """Read an image file as an ``(H, W, 3)`` uint8 RGB frame, exactly as the vehicle's command line reads it.

    Raises:
        UsageError: the file is missing, cut off, no image, or one that the rules do not say how to read.
    """
    try:
        return read_image(path, rules)
    except MediaError as error:
        raise UsageError(in_flags(str(error))) from error


class FrameFiles:
    """Frames of one camera in the order given, read when they are asked for.

    The order is the order of recording: the numbers in their names order a folder and what a shell expanded, and a caller who
    passes files in another order orders them. The split between fitting and thresholding relies on it.

    Args:
        sources: folders and image files in any mix, by the rule of :func:`lsood_runtime.offline.find_files`: natural order,
            hidden files and sub-folders left out.
        channels: order of a frame's last axis, ``rgb`` or ``bgr``.
        rules: what the files do not say themselves.

    Raises:
        UsageError: a source does not exist, or a folder holds no image.
    """

    in_memory: ClassVar[bool] = False
    """Whether the frames lie in no file, so that their paths are names alone."""

    def __init__(self, sources: Sequence[str | Path], channels: str = "rgb", rules: PixelRules = AS_STATED) -> None:
        self.channels, self.rules = channels, rules
        kinds = f"image files ({', '.join(IMAGE_SUFFIXES)})"
        try:
            self.paths = find_files(sources, _is_image, kinds)
        except MediaError as error:
            raise UsageError(in_flags(str(error))) from error
        if not self.paths:
            raise UsageError("expected one or more folders of frames or images, got none: name one")
        self.shape = self.read(0).shape

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frames in order, each ``(H, W, 3)`` uint8 and of the first one's size."""
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``.

        Raises:
            UsageError: the file is no image, or has another size than the first.
        """
        try:
            rows, columns = image_size(self.paths[index])  # of the header: a huge image is refused before it is decoded
        except MediaError as error:
            raise UsageError(in_flags(str(error))) from error
        if (rows, columns) != self.shape[:2]:
            raise UsageError(
                f"expected frames of one size, {self.shape[0]} x {self.shape[1]} (height x width) as in "
                f"{self.paths[0].name}, got {rows} x {columns} in {self.paths[index].name}: calibrate one camera at a time"
            )
        return self.read(index)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``, whatever its size."""
        frame = read_frame(self.paths[index], self.rules)
        return np.ascontiguousarray(frame[..., ::-1]) if self.channels == "bgr" else frame


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and is_file_or_lost(path)
