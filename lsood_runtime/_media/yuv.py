# SPDX-License-Identifier: Apache-2.0
"""Convert YUV images to RGB; each chroma value holds for all pixels that share it."""

import functools

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError

_RED_AND_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
# Noise of 3 levels on the black of limited range, 16, reaches below 8 in 0.2 % of the pixels; a fifth of full-range road
# scenes have more than 1 % there.
_BELOW_BLACK, _SHARE_BELOW_BLACK = 8, 0.01

_BLOCK_ROWS = 32  # of chroma at once, so that the numbers between stay in the processor's cache

PLANAR_BYTES = {"nv12": 1.5, "nv21": 1.5, "i420": 1.5, "yv12": 1.5, "nv24": 3.0}
"""Bytes a pixel of each planar layout."""


def unpack_packed(rows: NDArray[np.uint8], order: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split packed rows into luma and chroma.

    Args:
        rows: ``(H, 2 * W)``, two pixels in four bytes; W is even.
        order: ``yuyv`` or ``uyvy``.

    Returns:
        Luma ``(H, W)``, and chroma ``(H, W / 2, 2)`` with the blue difference before the red one.
    """
    first = order.index("y")
    return rows[:, first::2], rows[:, 1 - first :: 2].reshape(len(rows), -1, 2)


def unpack_planar(
    pixels: NDArray[np.uint8], order: str, height: int, width: int, stride: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split planes into luma and chroma.

    Args:
        pixels: the planes one after the other, in one dimension.
        order: a name of :data:`PLANAR_BYTES`.
        height: rows of the image, even where chroma has half of them.
        width: columns of the image, even where chroma has half of them.
        stride: bytes a row of luma. A row of interleaved chroma takes as many, of nv24 twice, of i420 and yv12 half as many.

    Returns:
        Luma ``(H, W)``, and chroma ``(H / 2, W / 2, 2)``, of nv24 ``(H, W, 2)``, with the blue difference before the red one.
    """
    luma, rest = pixels[: height * stride].reshape(height, stride)[:, :width], pixels[height * stride :]
    if order == "nv24":
        rows = rest[: 2 * height * stride].reshape(height, 2 * stride)
        return luma, rows[:, : 2 * width].reshape(height, width, 2)
    rest = rest[: height * stride // 2]
    if order in ("nv12", "nv21"):
        chroma = rest.reshape(height // 2, stride)[:, :width].reshape(height // 2, width // 2, 2)
        return luma, chroma if order == "nv12" else chroma[..., ::-1]
    planes = rest.reshape(2, height // 2, stride // 2)[..., : width // 2]
    return luma, np.moveaxis(planes if order == "i420" else planes[::-1], 0, -1)


def yuv_to_rgb(luma: NDArray[np.uint8], chroma: NDArray[np.uint8], space: str | None) -> NDArray[np.uint8]:
    """Convert luma and chroma to RGB.

    Args:
        luma: ``(H, W)``.
        chroma: ``(h, w, 2)``, blue and red differences; H and W are multiples of h and w.
        space: ``bt601`` or ``bt709``, with ``-full`` for full range; None for ``bt601`` of limited range.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        FrameError: no space is given, and more than 1 % of the luma values lie below 8, far under limited range's black.
    """
    if space is None:
        below = float(np.mean(luma < _BELOW_BLACK))
        if below > _SHARE_BELOW_BLACK:
            raise FrameError(
                f"expected YUV of limited range (luma 16 to 235), got {100 * below:.0f} % of the pixels below "
                f"{_BELOW_BLACK}: state its range with PixelRules(yuv='bt601-full') or bt709-full, or with "
                "PixelRules(yuv='bt601')"
            )
    luma_part, chroma_parts = _tables(space or "bt601")
    height, width = luma.shape
    rows_shared, columns_shared = height // chroma.shape[0], width // chroma.shape[1]
    rgb = np.empty((height, width, 3), np.uint8)
    for start in range(0, chroma.shape[0], _BLOCK_ROWS):
        block = chroma[start : start + _BLOCK_ROWS]
        place = slice(start * rows_shared, (start + len(block)) * rows_shared)
        bright = np.take(luma_part, luma[place]).reshape(len(block), rows_shared, width)
        for channel, (blue, red) in enumerate(chroma_parts):
            difference = (np.take(blue, block[..., 0]) + np.take(red, block[..., 1])).repeat(columns_shared, axis=1)
            values = bright + difference[:, None]
            rgb[place, :, channel] = np.clip(values, 0, 255, out=values).reshape(-1, width)
    return rgb


@functools.cache
def _tables(space: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What each value of luma adds to a channel, plus a half for rounding, ``(256,)``; and of both chroma ``(3, 2, 256)``."""
    red, blue = _RED_AND_BLUE[space.removesuffix("-full")]
    green = 1 - red - blue
    full = space.endswith("-full")
    values = np.arange(256)
    bright = values if full else (values - 16) * 255 / 219
    difference = (values - 128) * (1 if full else 255 / 224)
    of_blue = np.array([0, -2 * (1 - blue) * blue / green, 2 * (1 - blue)])
    of_red = np.array([2 * (1 - red), -2 * (1 - red) * red / green, 0])
    weights = np.stack([of_blue, of_red], -1)
    return (bright + 0.5).astype(np.float32), (weights[..., None] * difference).astype(np.float32)
