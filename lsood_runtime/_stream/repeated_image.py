# SPDX-License-Identifier: Apache-2.0
"""Notice that a camera sends the same image again."""

import zlib
from typing import TypeAlias

import numpy as np

from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import as_array

Checksum: TypeAlias = tuple[tuple[int, ...], int]
"""Shape and CRC-32 of an image."""


class RepeatedImage:
    """Compares each image of a camera with the one before it, by a checksum of all its bytes; sensor noise makes two differ.

    Attributes:
        count: identical images in a row, up to the last.
        since_ns: time of the first of these.
    """

    def __init__(self) -> None:
        self.count, self.since_ns = 0, 0
        self._checksum: Checksum | None = None

    def see(self, checksum: Checksum | None, time_ns: int) -> None:
        """Take in the next image by its :func:`image_checksum`; None never equals another."""
        if checksum is not None and checksum == self._checksum:
            self.count += 1
        else:
            self.count, self.since_ns, self._checksum = 1, time_ns, checksum

    def equals(self, checksum: Checksum | None) -> bool:
        """Whether this is the image that was seen last."""
        return checksum is not None and checksum == self._checksum


def image_checksum(frame: object) -> Checksum | None:
    """Shape and CRC-32 of a frame in host memory; None for one on a device, and for what is no array."""
    try:
        array = as_array(frame)
    except FrameError:
        return None
    if not isinstance(array, np.ndarray):
        return None
    if array.dtype == np.uint8:  # a camera's image is read where it lies
        return array.shape, zlib.crc32(np.ascontiguousarray(array).data)
    return array.shape, zlib.crc32(array.tobytes())
