# SPDX-License-Identifier: Apache-2.0
"""Digest of an image: a checksum of all its bytes, and a number for each of 256 tiles of some of its rows."""

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import as_array
from lsood_runtime._inference.camera_faults import BRIGHT, DARK

_BANDS, _COLUMNS, _ROWS_OF_A_BAND = 16, 16, 4
_WORD, _LEAST_UNCLIPPED = 8, 0.25

Tiles = NDArray[np.uint64]
"""A number for each tile, ``(tiles,)``."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageDigest:
    """What is kept of an image to tell whether it comes again.

    Attributes:
        checksum: shape and CRC-32 of all bytes.
        tiles: a number for each tile, which another value of any of its pixels changes; None for what is no picture.
    """

    checksum: tuple[tuple[int, ...], int]
    tiles: Tiles | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        height, width = self.checksum[0][:2]
        return height, width

    def equals(self, other: "ImageDigest | None") -> bool:
        """Whether both are of the same image."""
        return other is not None and self.checksum == other.checksum


def image_digest(frame: object) -> tuple[ImageDigest | None, NDArray[np.uint64] | None]:
    """The digest of a frame in host memory, and the sampled words that its tiles were made of.

    Of 64 evenly spaced rows 4 make a band, and a sixteenth of the columns of a band makes a tile. Fewer tiles are made of a
    picture with fewer rows or columns.

    Args:
        frame: any array.

    Returns:
        None for a frame on a device, and for what is no array; no words, and no tiles, for what is no picture.
    """
    try:
        array = as_array(frame)
    except FrameError:
        return None, None
    if not isinstance(array, np.ndarray):
        return None, None
    if array.dtype != np.uint8:
        return ImageDigest((array.shape, zlib.crc32(array.tobytes()))), None
    pixels = np.ascontiguousarray(array)  # a camera's image is read where it lies
    checksum = array.shape, zlib.crc32(pixels.data)
    words = _sampled_words(pixels) if array.ndim in (2, 3) and array.size else None
    if words is None:
        return ImageDigest(checksum), None
    return ImageDigest(checksum, (words * _weights(words.shape)).sum(axis=(1, 3), dtype=np.uint64).ravel()), words


def telling_tiles(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which tiles the noise of a sensor would change: a quarter of the bytes is not clipped, and they differ.

    Returns:
        ``(bands, columns)`` bool.
    """
    pixels = words.view(np.uint8)
    unclipped = np.count_nonzero((pixels > DARK) & (pixels < BRIGHT), axis=(1, 3))
    textured = pixels.max(axis=(1, 3)) != pixels.min(axis=(1, 3))
    return np.asarray(textured & (unclipped >= _LEAST_UNCLIPPED * pixels.shape[1] * pixels.shape[3]))


def textured_tiles(words: NDArray[np.uint64]) -> int:
    """Number of the tiles whose bytes are not all equal; those of clipped pixels never change, so that they tell nothing."""
    pixels = words.view(np.uint8)
    return int(np.count_nonzero(pixels.max(axis=(1, 3)) != pixels.min(axis=(1, 3))))


def _sampled_words(pixels: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    """``(bands, rows, columns, words)`` of eight bytes; None for a picture that is too narrow."""
    height = len(pixels)
    flat = pixels.reshape(height, -1)
    bands, rows = min(_BANDS, height), _ROWS_OF_A_BAND if height >= _BANDS * _ROWS_OF_A_BAND else 1
    columns, pixel = min(_COLUMNS, flat.shape[1] // _WORD), flat.shape[1] // pixels.shape[1]
    if columns == 0:
        return None
    starts = np.arange(columns) * pixels.shape[1] // columns * pixel
    width = int(np.diff(starts, append=flat.shape[1]).min()) // _WORD * _WORD
    if width == 0:  # columns narrower than a word begin at any byte
        width = flat.shape[1] // columns // _WORD * _WORD
        starts = np.arange(columns) * width
    sampled = flat[np.arange(bands * rows) * height // (bands * rows)]
    gathered = np.stack([sampled[:, start : start + width] for start in starts], axis=1)
    return gathered.view(np.uint64).reshape(bands, rows, columns, width // _WORD)


@functools.lru_cache(maxsize=8)
def _weights(shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """An odd number for each word of a tile, so that no change of a single word is lost in the sum."""
    drawn = np.random.default_rng(0).integers(0, 2**63, (1, shape[1], 1, shape[3]), np.uint64)
    return 2 * drawn + 1
