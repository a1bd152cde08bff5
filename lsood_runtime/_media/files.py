# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from images and videos; Pillow and OpenCV are imported when a file needs them."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import MediaError, missing_extra

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")

_DEEP_MODES = ("I", "F")  # Pillow cuts these off at 255 where it should scale
_HIGHEST_RATE = 1000.0  # containers without a frame rate state absurd numbers


def find_media(sources: Sequence[str]) -> list[Path]:
    """List the files behind files, folders (their images and videos by name, not those of sub-folders) and patterns.

    Raises:
        MediaError: nothing is found at a source.
    """
    return [path for source in sources for path in _expand(source)]


def _expand(source: str) -> list[Path]:
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES and p.is_file())
        if not found:
            raise MediaError(f"expected images or videos in {path}, found none: give a folder of frames, or the files")
        return found
    matches = [match for match in sorted(glob.glob(source, recursive=True)) if Path(match).is_file()]  # noqa: PTH207
    if not matches:
        raise MediaError(f"expected an image, a video or a folder, found nothing at {source}: check the path")
    return [Path(match) for match in matches]


def read_frames(path: Path, channels: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Read the frames of one file in order.

    Args:
        path: an image, or a video by its suffix.
        channels: ``rgb`` or ``bgr``, the order to give.

    Yields:
        A name, which is the path and in a video ``#`` and the frame's number from 0, and the ``(H, W, 3)`` uint8 frame.

    Raises:
        MediaError: the file cannot be decoded, or ends early; the message names it.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES:
        for index, frame in enumerate(_video(path)):
            yield f"{path}#{index:06d}", frame if channels == "bgr" else frame[..., ::-1]
    else:
        frame = read_image(path)
        yield str(path), frame[..., ::-1] if channels == "bgr" else frame


def video_rate(path: Path) -> float | None:
    """Frames per second that a video states; None for images, and where it states none."""
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return None
    capture = _open_video(path)
    import cv2

    try:
        rate = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return rate if 0 < rate < _HIGHEST_RATE else None


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as an ``(H, W, 3)`` uint8 RGB frame, turned upright by its EXIF orientation.

    Grey, palettes and CMYK become RGB, alpha is left out, and of 16 bits a colour the high byte is taken. One channel of
    more than 8 bits is refused: Pillow would cut it off at 255.

    Raises:
        MediaError: the file is missing, cut off, no image, or deeper than 8 bits; the message names it.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise missing_extra(f"reading the image {path}", "media") from error
    try:
        with Image.open(path) as image:
            mode = image.mode
            frame = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes of them
        raise MediaError(f"expected an image, cannot read {path}: {error}; copy or convert it") from error
    if mode.split(";")[0] in _DEEP_MODES:
        raise MediaError(f"expected an image of 8 bits a channel, {path} has mode {mode}: convert it first")
    return frame


def _video(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The BGR frames of a video."""
    capture = _open_video(path)
    import cv2

    try:
        count, stated, per_second = 0, capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        while True:
            decoded, frame = capture.read()
            if not decoded:
                break
            count += 1
            yield np.asarray(frame, np.uint8)
    finally:
        capture.release()
    # Containers round their length: only a difference of more than a second means that frames are missing.
    if count == 0 or stated - count > per_second:
        raise MediaError(
            f"expected {f'about {stated:.0f} frames' if stated > 0 else 'a video'}, could read {count} of {path}: "
            "it is cut off, damaged, or in a format that OpenCV lacks; copy or convert it"
        )


def _open_video(path: Path) -> Any:
    # Both libraries would write lines of their own to stderr about a damaged file; the caller gets an exception.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise missing_extra(f"reading the video {path}", "media") from error
    return cv2.VideoCapture(str(path))
