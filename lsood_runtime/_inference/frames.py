# SPDX-License-Identifier: Apache-2.0
"""The one check between a camera and the graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lsood_runtime._bundle.records import InputContract, MasksRecord
from lsood_runtime._exceptions import FrameError

Frame: TypeAlias = NDArray[np.uint8]
FrameNoise: TypeAlias = Sequence[NDArray[np.float32]]

_HOST_DEVICES, _CUDA_DEVICE = (1, 3), 2  # DLPack's numbers: CPU and page-locked CPU memory, CUDA
_DARK, _BRIGHT, _ALIKE = 8, 247, 0.99
_ROWS_LOOKED_AT = 64


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFrame:
    """``(B, H, W, 3)`` uint8 frames, contiguous in the memory of a device; ``owner`` keeps that memory alive."""

    shape: tuple[int, ...]
    device: str
    device_id: int
    pointer: int
    owner: Any


def check_frame(frame: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """Give ``frame`` back as a batch of one, as ONNX Runtime takes it, or say what is wrong with it.

    Args:
        frame: a camera frame in host memory, as a numpy array or anything with DLPack or ``__array_interface__``, or in CUDA
            memory by DLPack; not modified, and copied only where its memory is not contiguous or its channels are turned.
        contract: what a frame must be.
        channels: order of the frame's last axis, ``rgb`` or ``bgr``.

    Returns:
        ``(1, frame_height, frame_width, 3)`` uint8 in the contract's channel order, contiguous.

    Raises:
        FrameError: not an array, or of another dtype, rank, size or channel count.
    """
    return _check(frame, contract, channels, 3)


def check_named_frame(name: str, frame: object, contract: InputContract) -> None:
    """Refuse a frame out of a file, already in the contract's channel order, under its name.

    Raises:
        FrameError: as for :func:`check_frame`.
    """
    try:
        check_frame(frame, contract, contract.channels)
    except FrameError as error:
        raise FrameError(f"{name}: {error}") from error


def trusted_frame(frame: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """The same without a look at dtype and size: for callers who know.

    Raises:
        FrameError: not an array.
    """
    array = as_array(frame)
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        return check_frame(frame, contract, channels)
    return np.ascontiguousarray(array[None] if channels == contract.channels else array[None, ..., ::-1])


def check_batch(frames: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """The same for ``(B, H, W, 3)`` frames in one array, or a sequence of ``(H, W, 3)`` frames in host memory.

    Raises:
        FrameError: as for :func:`check_frame`, or no frame at all.
    """
    if isinstance(frames, list | tuple):
        if not frames:
            raise FrameError("expected at least one frame, got none")
        singles = []
        for i, frame in enumerate(frames):
            try:
                single = check_frame(frame, contract, channels)
            except FrameError as error:
                raise FrameError(f"frame {i} of the batch: {error}") from error
            if isinstance(single, DeviceFrame):
                raise FrameError(
                    f"frame {i} of the batch: expected host memory, or all frames in one tensor on the device"
                )
            singles.append(single)
        return np.concatenate(singles)
    return _check(frames, contract, channels, 4)


def fault_of(frame: Frame) -> str | None:
    """Why no camera that works gives this frame; None where it may be one. Looks at 64 rows at most.

    Args:
        frame: ``(..., H, W, 3)`` uint8.
    """
    width = frame.shape[-2]
    rows = frame.reshape(-1, 3 * width)
    seen, colour = rows[:: max(1, len(rows) // _ROWS_LOOKED_AT)], rows[0, :3]
    enough = _ALIKE * seen.size
    if np.count_nonzero(seen <= _DARK) >= enough:
        return f"black: {_ALIKE:.0%} of the pixels are at {_DARK} or below"
    if np.count_nonzero(seen >= _BRIGHT) >= enough:
        return f"saturated: {_ALIKE:.0%} of the pixels are at {_BRIGHT} or above"
    if np.count_nonzero(seen == np.tile(colour, width)) >= enough:
        return f"of one colour: {_ALIKE:.0%} of the pixels are {tuple(map(int, colour))}"
    return None


def as_array(frame: object) -> NDArray[Any] | DeviceFrame | None:
    """The array behind ``frame``, without a copy; None where it is none.

    Raises:
        FrameError: it claims to be an array and does not hand it over.
    """
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
        raise FrameError(f"expected an array, {type(frame).__name__} does not hand one over: {error}") from error
    return None


def _check(frame: object, contract: InputContract, channels: str, rank: int) -> Frame | DeviceFrame:
    shape = (contract.frame_height, contract.frame_width, 3)
    array = as_array(frame)
    turned = channels != contract.channels
    if isinstance(array, DeviceFrame):
        if array.shape[rank - 3 :] != shape or len(array.shape) != rank:
            raise FrameError(
                f"expected a {shape} uint8 frame in {channels.upper()}, got {array.shape} on {array.device}"
            )
        if turned:
            raise FrameError(
                f"expected a frame in {contract.channels.upper()}, got one in {channels.upper()} on {array.device}: "
                "turn its channels there, or export with the camera's order"
            )
        whole = (1,) * (4 - rank) + array.shape
        return DeviceFrame(whole, array.device, array.device_id, array.pointer, array.owner)
    if isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.shape[-3:] == shape and array.ndim == rank:
        if array.size == 0:
            raise FrameError("expected at least one frame, got none")
        whole_array = array if rank == 4 else array[None]
        return np.ascontiguousarray(whole_array[..., ::-1] if turned else whole_array)
    if isinstance(array, np.ndarray):
        got, hint = f"{array.shape} {array.dtype}", _array_hint(array, shape)
    else:
        got, hint = f"an object of type {type(frame).__name__}", _object_hint(frame)
    wanted = shape if rank == 3 else f"(B, {str(shape)[1:]}"
    raise FrameError(f"expected a {wanted} uint8 frame in {channels.upper()}, got {got}. {hint}")


def check_noise(noise: FrameNoise, masks: MasksRecord) -> list[NDArray[np.float32]]:
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
    if isinstance(frame, str | bytes):
        return "Read the file first; `lsood score` does that."
    return "Pass a numpy array; numpy.asarray(image) makes one of an image."
