# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from images and videos; Pillow and PyAV are imported when a file needs them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.videos import is_video, read_video

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp")

_DEEP_MODES = ("I", "F")  # Pillow cuts these off at 255 where it should scale


def read_frames(path: Path, channels: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Read the frames of one file in order.

    Args:
        path: an image, or a video by its suffix.
        channels: ``rgb`` or ``bgr``, the order to give.

    Yields:
        A name, which is the path and in a video ``#`` and the frame's number from 0, and the ``(H, W, 3)`` uint8 frame.

    Raises:
        MediaError: the file cannot be decoded, or ends early; the message names it.
    """
    if is_video(path):
        for index, shown in enumerate(read_video(path, channels)):
            if shown.image is None:
                raise MediaError(shown.fault)
            yield f"{path}#{index:06d}", shown.image
    else:
        frame = read_image(path)
        yield str(path), frame[..., ::-1] if channels == "bgr" else frame


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as an ``(H, W, 3)`` uint8 RGB frame, turned upright by its EXIF orientation.

    Grey, palettes and CMYK become RGB, alpha is left out, and of 16 bits a colour the high byte is taken. One channel of
    more than 8 bits is refused: Pillow would cut it off at 255.

    Raises:
        MediaError: the file is missing, cut off, no image, or deeper than 8 bits; the message names it.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise missing_extra(f"reading the image {path}", "media") from error
    try:
        with Image.open(path) as image:
            mode = image.mode
            frame = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes of them
        raise MediaError(f"expected an image, cannot read {path}: {error}; copy or convert it") from error
    if mode.split(";")[0] in _DEEP_MODES:
        raise MediaError(f"expected an image of 8 bits a channel, {path} has mode {mode}: convert it first")
    return frame
