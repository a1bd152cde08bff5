# SPDX-License-Identifier: Apache-2.0
"""Turn the bytes of an uncompressed image, as camera drivers publish it, into a frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.bayer import demosaic
from lsood_runtime._media.depth import eight_bits
from lsood_runtime._media.encodings import PixelEncoding, PixelLayout, find_encoding
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.yuv import PLANAR_BYTES, unpack_packed, unpack_planar, yuv_to_rgb


def decode_pixels(
    data: Any,
    *,
    encoding: str,
    height: int,
    width: int,
    step: int,
    big_endian: bool = False,
    channels: str = "rgb",
    rules: PixelRules = AS_STATED,
) -> NDArray[np.uint8]:
    """Turn the bytes of an image, such as those of a ``sensor_msgs/Image``, into a frame.

    Args:
        data: bytes, in any object with the buffer protocol; bytes after the last row are ignored.
        encoding: name of the encoding, in upper or lower case.
        height: rows of the image.
        width: columns of the image.
        step: bytes from one row to the next, of planar YUV in the luma plane; 0 for rows without padding.
        big_endian: byte order of values of 16 bits.
        channels: order to give, ``rgb`` or ``bgr``.
        rules: what the image does not say itself.

    Returns:
        ``(H, W, 3)`` uint8, contiguous; it may share memory with ``data``.

    Raises:
        FrameError: the encoding is unknown or does not say what the values mean, no pixels, rows that are shorter than the
            width, fewer bytes than the header states, or values that the rules exclude.
        MediaError: a Bayer mosaic, and OpenCV is not installed.
    """
    known = find_encoding(encoding, rules.encodings)
    if height < 1 or width < 1:
        raise FrameError(f"expected an image with pixels, got {height} rows of {width} columns: check the camera")
    pixels = _as_bytes(data)
    if known.layout is PixelLayout.PLANAR_YUV:
        rgb = _planar(pixels, known, encoding, height, width, step, rules)
    else:
        rows = _rows(pixels, known, encoding, height, width, step)
        rgb = _packed(rows, known, encoding, width, big_endian=big_endian, rules=rules)
    return np.ascontiguousarray(rgb if channels == "rgb" else rgb[..., ::-1])


def _as_bytes(data: Any) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(data, np.uint8)
    except (TypeError, ValueError, BufferError) as error:
        raise FrameError(f"expected bytes, got an object of type {type(data).__name__}: {error}") from error


def _rows(
    pixels: NDArray[np.uint8], known: PixelEncoding, encoding: str, height: int, width: int, step: int
) -> NDArray[np.uint8]:
    """The rows without their padding, ``(H, bytes of a row)``."""
    least = width * known.pixel_bytes
    stride = step or _unpadded(pixels, least * height, least)
    if stride < least:
        raise FrameError(
            f"expected a step of at least {least} bytes for {width} columns of {encoding}, got {stride}: check the camera's "
            "driver"
        )
    _check_length(pixels, height * stride, encoding, height, width, stride)
    return pixels[: height * stride].reshape(height, stride)[:, :least]


def _packed(
    rows: NDArray[np.uint8], known: PixelEncoding, encoding: str, width: int, *, big_endian: bool, rules: PixelRules
) -> NDArray[np.uint8]:
    if known.layout is PixelLayout.PACKED_YUV:
        _check_even(encoding, width=width)
        return yuv_to_rgb(*unpack_packed(rows, known.order), rules.yuv)
    values: NDArray[Any] = rows
    if known.bits > 8:
        values = np.ascontiguousarray(rows).view(">u2" if big_endian else "<u2").astype(np.uint16)
    if known.layout is PixelLayout.BAYER:
        values = demosaic(values, known.order)
    elif known.layout is PixelLayout.GREY:
        if not rules.grey:
            raise FrameError(f"expected a colour image, got {encoding}: accept grey images with PixelRules(grey=True)")
        values = np.repeat(values[..., None], 3, axis=-1)
    else:
        colours = values.reshape(len(rows), width, known.samples)
        values = colours[..., :3] if known.order.startswith("rgb") else colours[..., 2::-1]
    return eight_bits(values, rules.bits) if known.bits > 8 else values


def _planar(
    pixels: NDArray[np.uint8],
    known: PixelEncoding,
    encoding: str,
    height: int,
    width: int,
    step: int,
    rules: PixelRules,
) -> NDArray[np.uint8]:
    if known.order != "nv24":
        _check_even(encoding, width=width, height=height)
    pixel_bytes = PLANAR_BYTES[known.order]
    stride = step or _unpadded(pixels, int(height * width * pixel_bytes), width)
    if stride == width * pixel_bytes and pixels.size == height * stride:
        stride = width  # the step counts the bytes of all planes, so that data is height * step
    if stride < width or (known.order in ("i420", "yv12") and stride % 2):
        raise FrameError(
            f"expected a step of at least {width} bytes for {width} columns of {encoding}, even for i420 and yv12, "
            f"got {stride}: check the camera's driver"
        )
    _check_length(pixels, int(height * stride * pixel_bytes), encoding, height, width, stride)
    return yuv_to_rgb(*unpack_planar(pixels, known.order, height, width, stride), rules.yuv)


def _unpadded(pixels: NDArray[np.uint8], size: int, stride: int) -> int:
    if pixels.size != size:
        raise FrameError(
            f"expected a step, or {size} bytes without padding, got step 0 and {pixels.size} bytes: check the camera's driver"
        )
    return stride


def _check_length(pixels: NDArray[np.uint8], size: int, encoding: str, height: int, width: int, stride: int) -> None:
    if pixels.size < size:
        raise FrameError(
            f"expected {size} bytes for {height} rows of {width} columns of {encoding} with a step of {stride}, "
            f"got {pixels.size}: the image is cut off"
        )


def _check_even(encoding: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size % 2:
            raise FrameError(f"expected an even {name} for {encoding}, got {size}: check the camera's driver")
