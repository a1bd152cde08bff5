# SPDX-License-Identifier: Apache-2.0
"""Decode a still picture of any mode; Pillow is imported when one is read, OpenCV for 16 bits a value."""

import io
import os
import re
import warnings
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError
from lsood_runtime._media.bayer import demosaic
from lsood_runtime._media.depth import eight_bits
from lsood_runtime._media.pixel_rules import PixelRules
from lsood_runtime._media.size_check import check_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
_PNG_GREY = (0, 4)  # colour types of one channel, with alpha or without
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")
_PGM_MODES = ("I", "I;16")
_TIFF_SIZE, _TIFF_BITS = (256, 257), 258  # tags: width and height; bits of each channel
_ORIENTATION = 0x0112
_SIDEWAYS = 5  # orientations from here on swap rows and columns
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_JPEG_PROGRESSIVE = b"\xff\xc2"
_JPEG_ENDS = tuple(64 * byte + _JPEG_END for byte in (b"\0", b"\x5a", b"\xaa", b"\xfe"))
_NEXT_JPEG = re.compile(rb"\xff\xd9\0*\xff\xd8\xff")


def upright_size(file: BinaryIO) -> tuple[int, int]:
    """Rows and columns of the picture once it is upright, from its header alone."""
    with _open(file) as image:
        return _upright_size(image, _orientation(image, file))


def decode_stream(
    file: BinaryIO, rules: PixelRules, size: tuple[int, int] | None, *, pattern: str = ""
) -> NDArray[np.uint8]:
    """Decode a picture and turn it upright; what its header already excludes is refused before.

    Args:
        file: at its beginning.
        rules: what the picture does not say itself.
        size: rows and columns that it must have; None for any.
        pattern: of the Bayer mosaic that a grey picture is; empty where it is none.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        FrameError: another size, several pictures, or excluded by the rules.
        ImportError: Pillow or OpenCV is not installed.
        Exception: whatever Pillow makes of a damaged file.
    """
    start = file.read(len(_JPEG_START))
    file.seek(0)
    if start != _JPEG_START:
        return _decode(file, rules, size, pattern)
    data = file.read()
    if _JPEG_END in data[data.rfind(_JPEG_SCAN) :]:
        return _decode(io.BytesIO(data), rules, size, pattern)
    if _JPEG_PROGRESSIVE in data[: data.find(_JPEG_SCAN)]:
        raise OSError("image file is truncated")  # whole scans may be missing
    # Cameras leave out the end mark, or send zeros for it. If nothing else is missing, what stands there changes no pixel.
    scan = data.rstrip(b"\0")
    scan += b"\0" if scan.endswith(b"\xff") else b""
    first, *others = (_decode(io.BytesIO(scan + end), rules, size, pattern) for end in _JPEG_ENDS)
    if any(not np.array_equal(first, other) for other in others):
        raise OSError("image file is truncated")
    return first


def _decode(file: BinaryIO, rules: PixelRules, size: tuple[int, int] | None, pattern: str) -> NDArray[np.uint8]:
    from PIL import ImageOps

    head = file.read(26)
    file.seek(0)
    with _open(file) as image:
        bits, grey = _stated_form(image, head)
        orientation = _orientation(image, file)
        check_size(size, _upright_size(image, orientation))
        _check_single(image, file)
        mosaic = pattern if grey and bits == 8 else ""
        if grey and not rules.grey and not mosaic:
            raise FrameError("expected a colour image, got a grey one: accept grey images with PixelRules(grey=True)")
        if bits > 16 or image.mode == "F":
            raise FrameError(f"expected 8 or 16 bits a value, got {bits}: convert the image to 8 bits")
        if bits == 16:
            eight_bits(np.empty(0, np.uint16), rules.bits)  # raises before anything is decoded
            file.seek(0)
            deep = _read_deep(file.read(), rules)
            return deep if image.format == "TIFF" else _turn(deep, orientation)  # OpenCV turns TIFF files itself
        turned = ImageOps.exif_transpose(image)
        if mosaic:
            return demosaic(np.asarray(turned.convert("L")), mosaic)
        if turned.mode in _PGM_MODES:  # a PGM states its white, and Pillow scales it to 16 bits
            values = eight_bits(np.asarray(turned).astype(np.uint16), 16)
            return np.repeat(values[..., None], 3, axis=-1)
        return np.asarray(turned.convert("RGB"))


def _open(file: BinaryIO) -> "Picture":
    """Read the header; the pixels are left alone."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # callers compare the size
        return Image.open(file)


def _orientation(image: "Picture", file: BinaryIO) -> int:
    """EXIF orientation, 1 to 8; pixels are decoded only for a PNG that has metadata behind them."""
    from PIL import Image

    header_alone = image.format == "PNG" and not _has_metadata_behind_pixels(file)
    # A PNG's own getexif() decodes the whole picture to get at what stands behind it.
    exif = Image.Image.getexif(image) if header_alone else image.getexif()
    stated = exif.get(_ORIENTATION, 1)
    return int(stated) if stated in range(1, 9) else 1


def _has_metadata_behind_pixels(file: BinaryIO) -> bool:
    """Whether a PNG has EXIF or text, which may hold EXIF, behind its first pixels; the file's position stays."""
    position, pixels = file.tell(), False
    file.seek(len(_PNG_SIGNATURE))
    try:
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4]), head[4:]
            if pixels and kind in _PNG_METADATA:
                return True
            pixels = pixels or kind == b"IDAT"
            file.seek(length + 4, os.SEEK_CUR)  # values and their check sum
        return False
    finally:
        file.seek(position)


def _upright_size(image: "Picture", orientation: int) -> tuple[int, int]:
    width, height = image.size
    if image.format == "TIFF":  # some versions of Pillow have turned its size already
        width, height = (_tiff_tags(image)[tag][0] for tag in _TIFF_SIZE)
    return (width, height) if orientation >= _SIDEWAYS else (height, width)


def _stated_form(image: "Picture", head: bytes) -> tuple[int, bool]:
    """Bits a value as the file stores them, and whether it has one channel."""
    grey = image.mode in _GREY_MODES or image.mode.startswith("I;")
    if head.startswith(_PNG_SIGNATURE):
        bits, colour_type = head[24], head[25]
        return max(bits, 8), grey or colour_type in _PNG_GREY
    if image.format == "TIFF":
        return max(8, *_tiff_tags(image).get(_TIFF_BITS, (1,))), grey
    return 8, grey  # other formats state their own white, or have 8 bits


def _tiff_tags(image: "Picture") -> dict[int, tuple[int, ...]]:
    """Numbers of a TIFF header by their tags."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    wanted = {tag: tags[tag] for tag in (*_TIFF_SIZE, _TIFF_BITS) if tag in tags}
    return {tag: value if isinstance(value, tuple) else (value,) for tag, value in wanted.items()}


def _check_single(image: "Picture", file: BinaryIO) -> None:
    """Refuse a file of several pictures, but for the previews that cameras put behind the picture in an MPO file."""
    count = getattr(image, "n_frames", 1)
    several = f"{count} pictures" if count > 1 and image.format != "MPO" else ""
    if image.format == "JPEG":
        position = file.tell()
        file.seek(0)
        several = "several JPEG pictures" if _NEXT_JPEG.search(file.read()) else ""
        file.seek(position)
    if several:
        raise FrameError(
            f"expected one picture, got {several} in one file: save each as a file, or all as a video (JPEG pictures one "
            "after the other are one if the file ends in .mjpeg)"
        )


def _read_deep(data: bytes, rules: PixelRules) -> NDArray[np.uint8]:
    import cv2

    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise FrameError("expected 16 bits a value in grey or RGB, got a file that OpenCV does not read: convert it")
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=-1)
    return eight_bits(values[..., 2::-1], rules.bits)


def _turn(frame: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a frame upright by its EXIF orientation, 1 to 8."""
    if orientation >= _SIDEWAYS:
        frame = frame.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        frame = frame[::-1]
    if orientation in (2, 3, 6, 7):
        frame = frame[:, ::-1]
    return np.ascontiguousarray(frame)
