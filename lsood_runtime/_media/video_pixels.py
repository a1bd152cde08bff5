# SPDX-License-Identifier: Apache-2.0
"""Turn a decoded frame of a video into RGB or BGR, in the colour space and range that its stream states."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules

if TYPE_CHECKING:
    from av import VideoFrame

_GREY_FORMATS = ("gray", "mono", "ya")  # FFmpeg's names of pixel formats of one channel begin so
_NO_MATRIX, _NO_RANGE = 2, 0  # FFmpeg's numbers for what a stream does not state


def video_pixels(frame: "VideoFrame", channels: str, rules: PixelRules = AS_STATED) -> NDArray[np.uint8]:
    """Convert a frame that PyAV decoded.

    Matrix and range are those of the stream. Where it states none they are those of the rules, else BT.601 of limited range.

    Args:
        frame: of any pixel format, of 8 bits or more; formats of more bits state their white.
        channels: order to give, ``rgb`` or ``bgr``.
        rules: what the stream does not say itself.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        FrameError: a grey frame, which the rules do not accept.
    """
    if frame.format.name.startswith(_GREY_FORMATS) and not rules.grey:
        raise FrameError("expected a colour image, got a grey one: accept grey images with PixelRules(grey=True)")
    return np.asarray(frame.to_ndarray(format=f"{channels}24", **_stated_space(frame, rules)), np.uint8)


def _stated_space(frame: "VideoFrame", rules: PixelRules) -> dict[str, Any]:
    """Options of the conversion for what the rules state and the stream does not."""
    if rules.yuv is None or frame.format.is_rgb or frame.format.name.startswith(_GREY_FORMATS):
        return {}
    from av.video.reformatter import ColorRange, Colorspace

    options: dict[str, Any] = {}
    if frame.colorspace == _NO_MATRIX:
        matrix = Colorspace.ITU709 if rules.yuv.startswith("bt709") else Colorspace.ITU601
        options |= {"src_colorspace": matrix, "dst_colorspace": matrix}
    if frame.color_range == _NO_RANGE and not frame.format.name.startswith("yuvj"):
        stated = ColorRange.JPEG if rules.yuv.endswith("-full") else ColorRange.MPEG
        options |= {"src_color_range": stated, "dst_color_range": ColorRange.JPEG}
    return options
