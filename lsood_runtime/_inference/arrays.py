# SPDX-License-Identifier: Apache-2.0
"""Take camera frames as arrays: numpy's, or any library's with DLPack, in host memory or on a device."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError

Frame: TypeAlias = NDArray[np.uint8]

_HOST_DEVICES, _CUDA_DEVICE = (1, 3), 2  # DLPack's numbers: CPU and page-locked CPU memory, CUDA


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFrame:
    """``(B, H, W, 3)`` uint8 frames, contiguous in the memory of a device; ``owner`` keeps that memory alive."""

    shape: tuple[int, ...]
    device: str
    device_id: int
    pointer: int
    owner: object


def as_array(frame: object) -> NDArray[Any] | DeviceFrame | None:
    """Get the array behind ``frame`` without a copy; None where it is no array.

    Raises:
        FrameError: it claims to be an array and does not hand it over.
    """
    if isinstance(frame, np.ma.MaskedArray):
        raise FrameError(
            "expected an array without a mask, got a masked array, whose hidden pixels would be scored: "
            "pass frame.filled(value), or the camera's own image"
        )
    if isinstance(frame, np.ndarray):
        return frame
    try:
        if hasattr(frame, "__dlpack__") and hasattr(frame, "__dlpack_device__"):
            kind, device_id = frame.__dlpack_device__()
            if kind in _HOST_DEVICES:
                return np.from_dlpack(frame)
            if kind == _CUDA_DEVICE:
                value = ort.OrtValue.from_dlpack(frame)
                if value.data_type() != "tensor(uint8)":
                    raise FrameError(f"expected uint8, got {value.data_type()}: pass the camera's own image")
                return DeviceFrame(tuple(value.shape()), "cuda", device_id, value.data_ptr(), value)
        if hasattr(frame, "__array_interface__"):
            return np.asarray(frame)
    except FrameError:
        raise
    except Exception as error:  # whatever the other library makes of it: BufferError, TypeError, RuntimeError, its own
        raise FrameError(
            f"expected an array, {type(frame).__name__} does not hand one over: {error}; pass a numpy array"
        ) from error
    return None
