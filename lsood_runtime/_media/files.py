# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from images and videos; Pillow and PyAV are imported when a file needs them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.pictures import read_image
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.videos import is_video, read_video


def read_frames(
    path: Path, channels: str, rules: PixelRules = AS_STATED, *, size: tuple[int, int] | None = None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Read the frames of one file in order.

    Args:
        path: an image, or a video by its suffix.
        channels: ``rgb`` or ``bgr``, the order to give.
        rules: what an image does not say itself.
        size: rows and columns that an image must have; another one is refused before it is decoded. None for any.

    Yields:
        A name, which is the path and in a video ``#`` and the frame's number from 0, and the ``(H, W, 3)`` uint8 frame.

    Raises:
        MediaError: the file cannot be decoded, or ends early; the message names it.
    """
    if is_video(path):
        for index, shown in enumerate(read_video(path, channels, rules)):
            if shown.image is None:
                raise MediaError(shown.fault)
            yield f"{path}#{index:06d}", shown.image
    else:
        frame = read_image(path, rules, size=size)
        yield str(path), frame[..., ::-1] if channels == "bgr" else frame
