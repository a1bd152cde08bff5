# SPDX-License-Identifier: Apache-2.0
"""Refuse images of Pillow whose mode states other channels than those that a monitor expects."""

import numpy as np

from lsood_runtime._exceptions import FrameError

_OTHERS = {
    "rgb": ("YCbCr", "HSV", "LAB"),
    "bgr": ("RGB", "YCbCr", "HSV", "LAB"),
    "grey": ("P",),
    "rgba": ("RGBa", "CMYK"),
    "bgra": ("RGBA", "RGBX", "RGBa", "CMYK"),
}
"""Modes of as many channels of 8 bits as an order has, which mean something else; any other shows in shape or dtype."""

_REMEDIES = {
    "rgb": "pass image.convert('RGB')",
    "bgr": "pass numpy.asarray(image.convert('RGB'))[..., ::-1], or open the monitor with channels='rgb'",
    "grey": "pass image.convert('L')",
    "rgba": "pass image.convert('RGBA')",
    "bgra": "pass image.convert('RGBA') to a monitor that was opened with channels='rgba'",
}


def check_image_mode(frame: object, channels: str) -> None:
    """Refuse an image that states its mode, where that is not the order of channels, though its array would look alike.

    Args:
        frame: any object; what states no mode passes.
        channels: the order that is expected: ``rgb``, ``bgr``, ``grey``, ``rgba`` or ``bgra``.

    Raises:
        FrameError: an image such as one in HSV, or in RGB where BGR is expected.
    """
    if isinstance(frame, np.ndarray) or not hasattr(frame, "__array_interface__"):
        return
    mode = getattr(frame, "mode", None)
    if isinstance(mode, str) and mode in _OTHERS[channels]:  # that of other libraries may be an array
        raise FrameError(
            f"expected a frame in {channels.upper()}, got an image whose mode is {mode}: {_REMEDIES[channels]}"
        )
