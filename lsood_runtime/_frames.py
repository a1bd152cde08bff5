# SPDX-License-Identifier: Apache-2.0
"""The input contract of a frame, checked before ONNX Runtime sees it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._manifest import InputContract


def check_frame(frame: Any, contract: InputContract) -> NDArray[np.uint8]:
    """Let a frame pass, or say what is wrong with it.

    Args:
        frame: ``(H, W, 3)`` uint8 of the contract's size and channel order; not modified.
        contract: the bundle's.

    Returns:
        The frame itself, or one contiguous copy of a view.

    Raises:
        FrameError: the message names what was expected, what came, and the likely mistake.
    """
    shape = (contract.frame_height, contract.frame_width, 3)
    if not isinstance(frame, np.ndarray):
        raise FrameError(f"expected a numpy array of shape {shape} uint8, got {type(frame).__name__}: convert it first")
    if frame.shape == shape and frame.dtype == np.uint8:
        return np.ascontiguousarray(frame)
    raise FrameError(
        f"expected a {shape} uint8 frame in {contract.channels.upper()}, got {frame.shape} {frame.dtype}. {_hint(frame, shape)}"
    )


def _hint(frame: NDArray[Any], shape: tuple[int, int, int]) -> str:
    if frame.ndim == 4:
        return "This looks like a batch: pass one frame at a time."
    if frame.ndim == 3 and frame.shape[0] == 3 and frame.shape[2] != 3:
        return "This looks like a channels-first tensor: pass the camera's own uint8 image, channels last."
    if frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        return "This looks like a grey image: the network was trained on colour."
    if frame.ndim == 3 and frame.shape[2] == 4:
        return "This looks like an image with an alpha channel: pass frame[..., :3]."
    if frame.shape == shape:
        return "Pass the camera's own uint8 values in 0 to 255: scaling is part of the graph."
    if frame.ndim == 3 and frame.shape[2] == 3:
        return "The monitor was calibrated for another frame size: export it for this camera, or crop the frame."
    return "Pass one colour image."
