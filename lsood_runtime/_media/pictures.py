# SPDX-License-Identifier: Apache-2.0
"""Read still pictures, from files and from compressed messages, by one set of rules."""

import io
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import FrameError, MediaError, missing_extra
from lsood_runtime._media.encodings import bayer_pattern
from lsood_runtime._media.picture_decoding import decode_stream, upright_size
from lsood_runtime._media.pixel_rules import AS_STATED, PixelRules
from lsood_runtime._media.videos import is_video

T = TypeVar("T")

IMAGE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".ppm", ".pgm", ".pnm"),
    *(".tif", ".tiff", ".webp", ".gif"),
)
"""Files that a folder is searched for; a file that is named is tried, whatever its suffix."""


def read_image(path: Path, rules: PixelRules = AS_STATED, *, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read an image file as an ``(H, W, 3)`` uint8 RGB frame, turned upright by its EXIF orientation.

    Palettes and CMYK become RGB, alpha is left out. Grey images, values of 16 bits, and files of several pictures are refused
    where the rules do not say how to read them.

    Args:
        path: of the file, whatever its suffix.
        rules: what the file does not say itself.
        size: rows and columns that the frame must have; another one is refused before anything is decoded. None for any.

    Raises:
        MediaError: the file is missing, cut off, no image, of another size, or excluded by the rules; the message names it.
    """
    return _named(path, lambda file: decode_stream(file, rules, size))


def image_size(path: Path) -> tuple[int, int]:
    """Rows and columns of an image file, upright, from its header alone.

    Raises:
        MediaError: the file is missing or no image; the message names it.
    """
    return _named(path, upright_size)


def decode_picture(
    data: bytes,
    channels: str = "rgb",
    rules: PixelRules = AS_STATED,
    *,
    size: tuple[int, int] | None = None,
    encoding: str = "",
) -> NDArray[np.uint8]:
    """Decode the bytes of a picture, such as those of a ``sensor_msgs/CompressedImage``, by the rules of files.

    Args:
        data: of a JPEG, PNG or another format that Pillow knows.
        channels: order to give, ``rgb`` or ``bgr``.
        rules: as for :func:`read_image`.
        size: as for :func:`read_image`.
        encoding: of the image before it was compressed, if stated: a grey picture of a ``bayer_*8`` image is a mosaic, whose
            colours are interpolated.

    Returns:
        ``(H, W, 3)`` uint8, contiguous.

    Raises:
        FrameError: no picture, damaged, of another size, or excluded by the rules.
        MediaError: Pillow, or OpenCV where the picture needs it, is not installed.
    """
    try:
        rgb = decode_stream(io.BytesIO(data), rules, size, pattern=bayer_pattern(encoding))
    except FrameError:
        raise
    except ImportError as error:
        raise missing_extra("reading compressed images", "media") from error
    except Exception as error:  # Pillow's decoders raise whatever damaged data makes of them
        reason = "no data" if not data else "a format that Pillow does not know, or damaged"
        detail = f": {error}" if data and "cannot identify" not in str(error) else ""
        raise FrameError(
            f"expected a picture such as a JPEG, got {reason}{detail}: check the camera's driver"
        ) from error
    return np.ascontiguousarray(rgb if channels == "rgb" else rgb[..., ::-1])


def _named(path: Path, read: Callable[[BinaryIO], T]) -> T:
    """Read a file; its errors name it."""
    try:
        import PIL.Image  # noqa: F401  a missing package is named before a missing file

        with path.open("rb") as file:
            return read(file)
    except FrameError as error:
        raise MediaError(f"{path}: {error}") from error
    except ImportError as error:
        raise missing_extra(f"reading the image {path}", "media") from error
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes of them
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if "cannot identify" in what:
            what = "a format that Pillow does not know, or damaged"
        if is_video(path):
            command = f"ffmpeg -i {shlex.quote(str(path))} frames/%06d.png"
            raise MediaError(f"expected images, got the video {path}: save its frames, as by {command}") from error
        raise MediaError(f"expected an image, cannot read {path}: {what}; copy or convert it") from error
