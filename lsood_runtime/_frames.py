# SPDX-License-Identifier: Apache-2.0
"""The one check between a camera and the graphs."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._manifest import InputContract, Masks

Frame: TypeAlias = NDArray[np.uint8]
Noise: TypeAlias = Sequence[NDArray[np.float32]]


def check_frame(frame: object, contract: InputContract) -> Frame:
    """Give ``frame`` back as ONNX Runtime takes it, or say what is wrong with it.

    Args:
        frame: a camera frame; not modified, and copied only where its memory is not contiguous.
        contract: what a frame must be.

    Returns:
        ``(frame_height, frame_width, 3)`` uint8, contiguous.

    Raises:
        FrameError: not an array, or of another dtype, rank, size or channel count.
    """
    shape = (contract.frame_height, contract.frame_width, 3)
    if isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.shape == shape:
        return np.ascontiguousarray(frame)
    if isinstance(frame, np.ndarray):
        got, hint = f"{frame.shape} {frame.dtype}", _array_hint(frame, shape)
    else:
        got, hint = f"an object of type {type(frame).__name__}", _object_hint(frame)
    raise FrameError(f"expected a {shape} uint8 frame in {contract.channels.upper()}, got {got}. {hint}")


def check_noise(noise: Noise, masks: Masks) -> list[NDArray[np.float32]]:
    """Give noise back as ONNX Runtime takes it, or say what is wrong with it.

    Args:
        noise: one array for each noise input.
        masks: what the noise must be.

    Returns:
        For each noise input ``(S, *shape)`` float32, contiguous.

    Raises:
        FrameError: the graph takes none, or an array is missing, of another dtype or shape, or leaves [0, 1).
    """
    if not masks.noise:
        raise FrameError(f"expected no noise, this bundle's masks are {masks.mode}: pass the frame alone")
    if len(noise) != len(masks.noise):
        raise FrameError(
            f"expected {len(masks.noise)} noise arrays, got {len(noise)}: pass one for each of masks.noise"
        )
    for i, (values, size) in enumerate(zip(noise, masks.noise, strict=True)):
        shape = (masks.count, *size)
        if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.shape != shape:
            got = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
            raise FrameError(f"expected noise {i} to be {shape} float32, got {got}: draw numpy.float32 of this shape")
        if not (values.min() >= 0 and values.max() < 1):
            raise FrameError(f"expected noise {i} in [0, 1), got {values.min()} to {values.max()}: draw it uniformly")
    return [np.ascontiguousarray(values) for values in noise]


def _array_hint(frame: NDArray[np.generic], shape: tuple[int, int, int]) -> str:
    height, width, _ = shape
    if frame.ndim == 4:
        return "This looks like a batch: pass one frame at a time."
    if frame.ndim == 2:
        return "This looks like a grey image: the network was trained on colour, pass the camera's colour image."
    if frame.ndim != 3:
        return "Pass the camera's image as rows, columns and channels."
    first_is_channels = frame.shape[0] == 3 and frame.shape[2] != 3
    if np.issubdtype(frame.dtype, np.floating):
        in_unit_range = frame.size > 0 and bool(np.nanmin(frame) >= 0 and np.nanmax(frame) <= 1)
        kind = "a channels-first tensor" if first_is_channels else "a frame"
        values = "in [0, 1]" if in_unit_range else "that was scaled or normalised"
        return f"This looks like {kind} {values}: pass the camera's own uint8 image."
    if frame.dtype != np.uint8:
        return "Pass the camera's own 8-bit image; the graph scales and normalises."
    if first_is_channels:
        return "This looks like a channels-first frame: pass frame.transpose(1, 2, 0)."
    if frame.shape[2] == 4:
        return "This looks like an image with an alpha channel: pass frame[..., :3]."
    if frame.shape[2] == 1:
        return "This looks like a grey image: the network was trained on colour, pass the camera's colour image."
    if frame.shape == (width, height, 3):
        return "Rows and columns look swapped: pass frame.transpose(1, 0, 2), or turn the camera's image."
    return (
        f"This monitor was calibrated for images {width} wide and {height} high: "
        "pass the camera's image as it was at calibration, or export a bundle for this size."
    )


def _object_hint(frame: object) -> str:
    if type(frame).__module__.split(".")[0] == "torch":
        return "Pass the camera's own uint8 image as a numpy array; of an (H, W, 3) uint8 tensor, tensor.cpu().numpy()."
    if isinstance(frame, str | bytes):
        return "Read the file first; `lsood score` does that."
    return "Pass a numpy array; numpy.asarray(image) makes one of an image."
