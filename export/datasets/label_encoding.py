# SPDX-License-Identifier: Apache-2.0
"""Map the numbers or colours of label files to classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from export.errors import UsageError
from export.frames.labels import read_label
from lsood_runtime.offline import open_plain, reason_of

VOID = 255
"""Class of the pixels to ignore, whatever their number in the label files."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class LabelEncoding:
    """What a pixel of a label file stands for.

    Attributes:
        ids: class of each number that a label file may hold, both 0 to 255.
        colours: number of each RGB colour, for label files of colours; empty for files of one number a pixel.
        some_above: every label file holds a number above this, by which it is told from one of the same name that holds
            other ids; None where there are no such files.
    """

    ids: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict)
    some_above: int | None = None

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Read a label file as ``(H, W)`` uint8 classes.

        Raises:
            UsageError: the file cannot be read, or holds a number or a colour that stands for nothing.
        """
        numbers = self._read_colours(path) if self.colours else read_label(path)
        _, classes = self._tables
        present = _present(numbers)
        unknown = self.unknown(present)
        if len(unknown):
            raise UsageError(
                f"expected ids {self.known} in {path}, got {', '.join(map(str, unknown))}: pass the data set's own label "
                "files"
            )
        if self.some_above is not None and present[-1] <= self.some_above:
            raise UsageError(
                f"expected ids of which some are above {self.some_above} in {path}, got {_ranges(present)}, which may be "
                "train ids: pass label files of one kind, or leave this one out"
            )
        return classes[numbers]

    @property
    def known(self) -> str:
        """The numbers that stand for something, in words."""
        return _ranges(np.flatnonzero(self._tables[0]))

    def unknown(self, present: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the numbers that stand for nothing."""
        return present[~self._tables[0][present]]

    @cached_property
    def _tables(self) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
        known, classes = np.zeros(256, np.bool_), np.zeros(256, np.uint8)
        known[list(self.ids)] = True
        classes[list(self.ids)] = list(self.ids.values())
        return known, classes

    def _read_colours(self, path: Path) -> NDArray[np.uint8]:
        try:
            with open_plain(path) as file, Image.open(file) as image:
                pixels = np.asarray(image.convert("RGB"), np.int64)
        except (UnidentifiedImageError, OSError) as error:
            raise UsageError(
                f"expected a label image, could not read {path}: {reason_of(error)}; copy or convert it again"
            ) from error
        known = np.array([_packed(colour) for colour in self.colours], np.int64)
        found, places = np.unique(pixels @ np.array([65536, 256, 1]), return_inverse=True)
        unknown = found[~np.isin(found, known)]
        if len(unknown):
            red, green, blue = (int(unknown[0]) >> shift & 255 for shift in (16, 8, 0))
            raise UsageError(
                f"expected the {len(known)} colours of the data set's classes in {path}, got ({red}, {green}, {blue}): pass "
                "its own annotations, as lossless as they were published"
            )
        order = np.argsort(known)
        numbers = np.array(list(self.colours.values()), np.uint8)[order]
        return np.asarray(numbers[np.searchsorted(known[order], found)][places].reshape(pixels.shape[:2]), np.uint8)


def encoding_of_files(encodings: Sequence[LabelEncoding], labels: Iterable[Path]) -> LabelEncoding:
    """What the label files of a data set stand for, of which there are several kinds under the same names.

    Files are looked at until one holds numbers of one kind alone. Where none does, the kind is one that may lack large
    numbers.

    Args:
        encodings: of the kinds, of numbers and not of colours.
        labels: files, at least one; all must be of one kind, which their reading finds out.

    Raises:
        UsageError: a file that was looked at cannot be read, or is of no kind.
    """
    for path in labels:
        present = _present(read_label(path))
        fitting = [encoding for encoding in encodings if not len(encoding.unknown(present))]
        if not fitting:
            kinds = (f"{each.known} (got {_ranges(each.unknown(present))})" for each in encodings)
            raise UsageError(f"expected ids {' or '.join(kinds)} in {path}: pass the data set's own label files")
        if len(fitting) == 1:
            return fitting[0]
    return next(encoding for encoding in encodings if encoding.some_above is None)


def _present(numbers: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))


def _packed(colour: Colour) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _ranges(ids: NDArray[np.int64]) -> str:
    """``from 0 to 6, 255`` for 0, 1, ... 6 and 255."""
    runs = np.split(ids, np.flatnonzero(np.diff(ids) > 1) + 1)
    return ", ".join(f"from {run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
