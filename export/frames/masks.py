# SPDX-License-Identifier: Apache-2.0
"""Read masks of unknown objects: one number for each pixel of a frame."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError
from export.frames.labels import MASKS, read_label

UNKNOWN, KNOWN, VOID = (1,), (0,), (255,)
"""Numbers of the three kinds of pixels where none are given."""


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

    unknown: tuple[int, ...] = UNKNOWN
    known: tuple[int, ...] = KNOWN
    void: tuple[int, ...] = VOID

    @classmethod
    def given(
        cls, unknown: tuple[int, ...] | None, known: tuple[int, ...] | None, void: tuple[int, ...] | None
    ) -> Self:
        """The numbers that were given, and for those that were not the usual ones: of these none that was given for another
        kind of pixels.

        Args:
            unknown: None where none were given, as for the others.
            known: of everything else.
            void: of pixels that do not count.

        Raises:
            UsageError: as for the class.
        """
        taken = {*(unknown or ()), *(known or ()), *(void or ())}
        usual = [tuple(number for number in numbers if number not in taken) for numbers in (UNKNOWN, KNOWN, VOID)]
        given = (unknown, known, void)
        return cls(*(own if numbers is None else numbers for numbers, own in zip(given, usual, strict=True)))

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
        numbers = read_label(path, MASKS)
        if numbers.shape != (height, width):
            raise UsageError(
                f"expected the mask {path} to have the frame's {height} x {width} pixels (height x width), got "
                f"{numbers.shape[0]} x {numbers.shape[1]}: give masks of the frames as they are"
            )
        unlisted = sorted(_numbers(numbers) - {*self.unknown, *self.known, *self.void})
        if unlisted:
            raise UsageError(
                f"expected {_listing(self.unknown)} (unknown), {_listing(self.known)} (known) or {_listing(self.void)} "
                f"(void) in the mask {path}, got {unlisted[0]}: say what it stands for by --unknown-mask, --known-mask or "
                "--void-mask"
            )
        return UnknownMask(np.isin(numbers, self.unknown), np.isin(numbers, self.void))


def check_void(values: MaskValues, paths: Iterable[Path]) -> None:
    """Refuse folders of masks whose only number beside those of known pixels is 255, where nobody said that it is void.

    Such masks may be of frames without unknown objects, or have 255 for these: the figures of one are nonsense for the other.

    Args:
        values: of which 255 stands for void because nothing else was said.
        paths: of the masks that will be compared with maps.

    Raises:
        UsageError: a file cannot be read, or a folder has such masks alone.
    """
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    for folder, files in folders.items():
        seen: set[int] = set()
        for path in files:
            seen |= _numbers(read_label(path, MASKS))
            if not seen.isdisjoint(values.unknown):
                break
        else:
            if not seen.isdisjoint(values.void):
                (number,) = values.void
                raise UsageError(
                    f"expected a mask with {_listing(values.unknown)} (unknown) in {folder}, got {number} beside "
                    f"{_listing(values.known)} (known) alone: add --unknown-mask {number} if it stands for unknown objects, "
                    f"or --void-mask {number} if for pixels that do not count"
                )


def _numbers(pixels: NDArray[np.uint8]) -> set[int]:
    return set(np.flatnonzero(np.bincount(pixels.ravel(), minlength=256)).tolist())


def _listing(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"
