# SPDX-License-Identifier: Apache-2.0
"""Turn image messages, as ROS nodes and recordings hand them over, into frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import check_text, check_type, shown
from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.pictures import decode_picture
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.pixels import decode_pixels
from lsood_runtime._media.size_check import check_size


def decode_message(
    message: Any, channels: str, rules: PixelRules = AS_STATED, *, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Turn a ``sensor_msgs/Image``, a ``sensor_msgs/CompressedImage``, or Foxglove's types of both into a frame.

    Args:
        message: with the fields of its type, from ROS 1, ROS 2 or Protobuf.
        channels: order to give, ``rgb`` or ``bgr``.
        rules: what the message does not say itself.
        size: rows and columns that the image must have; another one is refused before it is decoded. None for any.

    Returns:
        ``(H, W, 3)`` uint8, contiguous; it may share memory with the message.

    Raises:
        TypeError: rules or an order of another type; ValueError: an order of channels that is neither.
        FrameError: no image message, or one that holds no image that these rules can read.
        MediaError: a package that its encoding or format needs is not installed.

    Example:
        >>> frame = decode_message(message, monitor.manifest.input.channels, PixelRules(grey=True))  # doctest: +SKIP
    """
    if check_text(channels, "channels rgb or bgr", "pass the bundle's order") not in ("rgb", "bgr"):
        raise ValueError(f"expected channels rgb or bgr, got {channels!r}: pass the bundle's order")
    check_type(rules, PixelRules, "PixelRules", "pass PixelRules(grey=True), for instance")
    fields = ("data", "format") if hasattr(message, "format") else ("data", "encoding", "height", "width", "step")
    lacking = [name for name in fields if not hasattr(message, name)]
    if lacking:
        raise FrameError(
            f"expected an image message with {', '.join(fields)}, got {shown(message)} without {', '.join(lacking)}: pass a "
            "sensor_msgs/Image or CompressedImage, as the subscription hands it over"
        )
    if hasattr(message, "format"):
        encoding = message.format.partition(";")[0]
        return decode_picture(bytes(message.data), channels, rules, size=size, encoding=encoding)
    check_size(size, (message.height, message.width))
    return decode_pixels(
        message.data,
        encoding=message.encoding,
        height=message.height,
        width=message.width,
        step=message.step,
        big_endian=bool(getattr(message, "is_bigendian", False)),
        channels=channels,
        rules=rules,
    )
