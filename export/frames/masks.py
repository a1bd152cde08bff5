# SPDX-License-Identifier: Apache-2.0
"""Read masks of unknown objects: one number for each pixel of a frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.frames.labels import read_label


class UnknownMask(NamedTuple):
    """Which pixels of a frame are of unknown objects.

    Attributes:
        unknown: ``(H, W)`` bool.
        void: ``(H, W)`` bool, pixels that do not count.
    """

    unknown: NDArray[np.bool_]
    void: NDArray[np.bool_]


@dataclass(frozen=True)
class MaskValues:
    """The numbers in masks.

    Attributes:
        unknown: of pixels of unknown objects.
        known: of everything else.
        void: of pixels that do not count.

    Raises:
        UsageError: a number stands for two kinds of pixels, or there is none for unknown or for known ones.
    """

    unknown: tuple[int, ...] = (1,)
    known: tuple[int, ...] = (0,)
    void: tuple[int, ...] = (255,)

    def __post_init__(self) -> None:
        every = (*self.unknown, *self.known, *self.void)
        twice = sorted(value for value in set(every) if every.count(value) > 1)
        if twice:
            raise UsageError(
                f"expected each number of a mask to stand for one kind of pixels, got {twice[0]} for two: change "
                "--unknown-mask, --known-mask or --void-mask"
            )
        if not self.unknown or not self.known:
            missing = "--known-mask" if self.unknown else "--unknown-mask"
            raise UsageError(f"expected numbers for unknown and for known pixels, got none by {missing}: name one")

    def read(self, path: Path, height: int, width: int) -> UnknownMask:
        """Read the mask of a frame.

        Args:
            path: of an image of one byte a pixel.
            height: of the frame.
            width: of the frame.

        Raises:
            UsageError: the file cannot be read, has another size, or holds a number that stands for nothing.
        """
        numbers = read_label(path)
        if numbers.shape != (height, width):
            raise UsageError(
                f"expected the mask {path} to have the frame's {height} x {width} pixels (height x width), got "
                f"{numbers.shape[0]} x {numbers.shape[1]}: give masks of the frames as they are"
            )
        present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
        unlisted = sorted(set(present.tolist()) - {*self.unknown, *self.known, *self.void})
        if unlisted:
            raise UsageError(
                f"expected {_listing(self.unknown)} (unknown), {_listing(self.known)} (known) or {_listing(self.void)} "
                f"(void) in the mask {path}, got {unlisted[0]}: say what it stands for by --unknown-mask, --known-mask or "
                "--void-mask"
            )
        return UnknownMask(np.isin(numbers, self.unknown), np.isin(numbers, self.void))


def _listing(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"
