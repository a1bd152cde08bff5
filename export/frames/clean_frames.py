# SPDX-License-Identifier: Apache-2.0
"""Keep the class maps of clean frames, which frames that are made of them are compared with."""

import zlib

import numpy as np
from numpy.typing import NDArray

from export.frames.overlaps import Overlaps


class CleanFrames:
    """Class maps and overlaps with labels of the clean frames, for the frames that are made of them.

    The maps are held compressed: some tens of KiB for a map of 1024x2048.
    """

    def __init__(self) -> None:
        self._maps: dict[int, bytes] = {}
        self._overlaps: dict[int, Overlaps] = {}

    def add(self, index: int, classes: NDArray[np.uint8] | None, overlap: Overlaps | None) -> None:
        """Keep what is known of a clean frame: its ``(h, w)`` class map, and its overlaps with the label."""
        if classes is not None:
            self._maps[index] = zlib.compress(np.ascontiguousarray(classes).tobytes(), level=1)
        if overlap is not None:
            self._overlaps[index] = overlap

    def agreement(self, index: int, classes: NDArray[np.uint8]) -> float:
        """Share of the pixels of a class map that have the clean frame's class."""
        clean = np.frombuffer(zlib.decompress(self._maps[index]), np.uint8)
        return float((clean == classes.ravel()).mean())

    def overlap(self, index: int) -> Overlaps:
        """Overlaps of a clean frame with its label."""
        return self._overlaps[index]
