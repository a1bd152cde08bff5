# SPDX-License-Identifier: Apache-2.0
"""Check every frame before the graphs see it."""

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._arguments import check_text
from lsood_runtime._bundle.records import InputContract
from lsood_runtime._exceptions import FrameError
from lsood_runtime._inference.arrays import DeviceFrame, Frame, as_array
from lsood_runtime._inference.frame_hints import array_hint, batch_hint, batch_object_hint, object_hint
from lsood_runtime._inference.image_mode import check_image_mode

GREY = "grey"
"""In place of an order of channels: frames of one channel."""

FOUR_CHANNELS = {"rgba": "rgb", "bgra": "bgr"}
"""Orders of frames of four channels, of which the fourth is left out, and the order of the others."""

_CHANNELS_REMEDY = "pass the camera's order, grey, rgba or bgra"


def check_channels(channels: str | None) -> None:
    """Refuse what is no order of a camera's channels; None stands for the bundle's own.

    Raises:
        TypeError: no text.
        ValueError: another text.
    """
    order = None if channels is None else check_text(channels, "channels rgb or bgr", _CHANNELS_REMEDY)
    if order not in (None, "rgb", "bgr", GREY, *FOUR_CHANNELS):
        raise ValueError(f"expected channels rgb or bgr, got {order!r}: {_CHANNELS_REMEDY}")


def check_frame(frame: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """Check a frame and return it as a batch of one, as ONNX Runtime takes it.

    Args:
        frame: a camera frame in host memory, as a numpy array or anything with DLPack or ``__array_interface__``, or in CUDA
            memory by DLPack; not modified, and copied only where its memory is not contiguous or its channels are turned.
        contract: what a frame must be.
        channels: order of the frame's last axis, ``rgb`` or ``bgr``; ``grey`` for a frame ``(H, W)`` or ``(H, W, 1)``;
            ``rgba`` or ``bgra`` for one ``(H, W, 4)``, whose fourth channel is left out.

    Returns:
        ``(1, frame_height, frame_width, 3)`` uint8 in the contract's channel order, contiguous.

    Raises:
        FrameError: not an array, of another dtype, rank, size or channel count, or an image of a mode with other channels.
    """
    check_image_mode(frame, channels)
    return _check(frame, contract, channels, 3)


def check_named_frame(name: str, frame: object, contract: InputContract) -> None:
    """Check a frame that was read from a file, in the contract's channel order; the error names the file.

    Raises:
        FrameError: as for :func:`check_frame`.
    """
    try:
        check_frame(frame, contract, contract.channels)
    except FrameError as error:
        raise FrameError(f"{name}: {error}") from error


def trusted_frame(frame: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """Return a frame as a batch of one without a check of dtype and size.

    Raises:
        FrameError: not an array, or an image of a mode with other channels.
    """
    array = as_array(frame)
    check_image_mode(frame, channels)
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        return check_frame(frame, contract, channels)
    if channels == GREY:
        return _three_channels(array[None])
    if channels in FOUR_CHANNELS:
        return trusted_frame(array[..., :3], contract, FOUR_CHANNELS[channels])
    return np.ascontiguousarray(array[None] if channels == contract.channels else array[None, ..., ::-1])


def check_batch(frames: object, contract: InputContract, channels: str) -> Frame | DeviceFrame:
    """Check a batch: frames in one array, such as ``(B, H, W, 3)``, or a sequence of single ones in host memory.

    Raises:
        FrameError: as for :func:`check_frame`, or no frame at all.
    """
    if isinstance(frames, list | tuple):
        if not frames:
            raise FrameError("expected at least one frame, got none: pass one or more")
        singles = []
        for i, frame in enumerate(frames):
            try:
                single = check_frame(frame, contract, channels)
            except FrameError as error:
                raise FrameError(f"frame {i} of the batch: {error}") from error
            if isinstance(single, DeviceFrame):
                raise FrameError(
                    f"frame {i} of the batch: expected host memory, or all frames in one tensor on the device, "
                    "got one frame of a list on a device: stack them there"
                )
            singles.append(single)
        return np.concatenate(singles)
    return _check(frames, contract, channels, 4)


def check_each(frames: object, contract: InputContract, channels: str) -> list[Frame | FrameError]:
    """Check each frame of a batch in host memory by itself; a frame that breaks the contract is its error.

    Args:
        frames: an array of frames, or a sequence of them.
        contract: what a frame must be.
        channels: as for :func:`check_frame`.

    Raises:
        FrameError: no batch of frames in host memory.
    """
    array = None if isinstance(frames, list | tuple) else as_array(frames)
    rank = 3 if channels == GREY else 4
    if isinstance(array, np.ndarray) and array.ndim >= rank and len(array):
        frames = list(array)
    if not isinstance(frames, list | tuple) or not frames:
        check_batch(frames, contract, channels)
        raise FrameError("expected frames in host memory, got a tensor on a device: use score_batch, or copy it")
    checked: list[Frame | FrameError] = []
    for frame in frames:
        try:
            single = check_frame(frame, contract, channels)
        except FrameError as error:
            checked.append(error)
            continue
        if isinstance(single, DeviceFrame):
            raise FrameError("expected frames in host memory, got one on a device: assess it by itself, or copy it")
        checked.append(single)
    return checked


def _check(frame: object, contract: InputContract, channels: str, rank: int) -> Frame | DeviceFrame:
    if channels == GREY:
        return _check_grey(frame, contract, rank)
    if channels in FOUR_CHANNELS:
        return _check_four(frame, contract, channels, rank)
    shape = (contract.frame_height, contract.frame_width, 3)
    array = as_array(frame)
    turned = channels != contract.channels
    if isinstance(array, DeviceFrame):
        if array.shape[rank - 3 :] != shape or len(array.shape) != rank:
            raise FrameError(
                f"expected a {shape} uint8 frame in {channels.upper()}, got {array.shape} on {array.device}: "
                "pass the camera's image as rows, columns and channels"
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
            raise FrameError("expected at least one frame, got none: pass one or more")
        whole_array = array if rank == 4 else array[None]
        return np.ascontiguousarray(whole_array[..., ::-1] if turned else whole_array)
    if isinstance(array, np.ndarray):
        got, hint = f"{array.shape} {array.dtype}", array_hint(array, shape) if rank == 3 else batch_hint(array, shape)
    else:
        got = f"an object of type {type(frame).__name__}"
        hint = object_hint(frame) if rank == 3 else batch_object_hint(frame)
    wanted = shape if rank == 3 else f"(B, {str(shape)[1:]}"
    raise FrameError(f"expected a {wanted} uint8 frame in {channels.upper()}, got {got}. {hint}")


def _check_grey(frame: object, contract: InputContract, rank: int) -> Frame:
    size = (contract.frame_height, contract.frame_width)
    array = as_array(frame)
    if isinstance(array, np.ndarray):
        flat = array[..., 0] if array.ndim == rank and array.shape[-1] == 1 else array
        if flat.dtype == np.uint8 and flat.shape[-2:] == size and flat.ndim == rank - 1:
            if flat.size == 0:
                raise FrameError("expected at least one frame, got none: pass one or more")
            return _three_channels(flat if rank == 4 else flat[None])
        got = f"{array.shape} {array.dtype}"
    else:
        got = f"{array.shape} on {array.device}" if array is not None else f"an object of type {type(frame).__name__}"
    wanted = size if rank == 3 else f"(B, {str(size)[1:]}"
    if array is None and rank == 4:
        raise FrameError(f"expected {wanted} uint8 frames in GREY, got {got}. {batch_object_hint(frame)}")
    raise FrameError(
        f"expected a {wanted} uint8 frame in GREY, got {got}. Pass the grey camera's own image, in host memory, or open the "
        "monitor without channels='grey'"
    )


def _check_four(frame: object, contract: InputContract, channels: str, rank: int) -> Frame | DeviceFrame:
    shape = (contract.frame_height, contract.frame_width, 4)
    array = as_array(frame)
    if isinstance(array, np.ndarray):
        if array.dtype == np.uint8 and array.shape[-3:] == shape and array.ndim == rank:
            return _check(array[..., :3], contract, FOUR_CHANNELS[channels], rank)
        got = f"{array.shape} {array.dtype}"
    else:
        got = f"{array.shape} on {array.device}" if array is not None else f"an object of type {type(frame).__name__}"
    wanted = shape if rank == 3 else f"(B, {str(shape)[1:]}"
    raise FrameError(
        f"expected a {wanted} uint8 frame in {channels.upper()}, got {got}. Pass the camera's own image of four channels, in "
        f"host memory, or open the monitor with channels={FOUR_CHANNELS[channels]!r}"
    )


def _three_channels(frames: NDArray[np.uint8]) -> Frame:
    """Repeat the one channel of ``(B, H, W)`` or ``(B, H, W, 1)`` frames."""
    return np.repeat(frames if frames.ndim == 4 else frames[..., None], 3, axis=-1)
