# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from any source: images, videos, recorded drives, a camera."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._exceptions import MediaError, missing_extra
from lsood_runtime._media.files import VIDEO_SUFFIXES, find_media, read_frames, video_rate
from lsood_runtime._media.recordings import is_recording, read_recording

DEVICE = re.compile(r"camera:(\d+)")
CAMERA = "camera"
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """A frame with its name, its camera, and its stamp in nanoseconds; ``image`` is ``(H, W, 3)`` uint8."""

    name: str
    camera: str
    stamp_ns: int
    image: NDArray[np.uint8]


def find_sources(sources: Sequence[str]) -> list[str]:
    """List what lies behind files, folders, patterns and ``camera:N``.

    Raises:
        MediaError: nothing is found at a source.
    """
    found: list[str] = []
    for source in sources:
        single = DEVICE.fullmatch(source) or is_recording(Path(source))
        found += [source] if single else [str(path) for path in find_media([source])]
    return found


def name_width(source: str) -> int:
    """Length of the longest frame name of a source, as far as it is known before."""
    many = Path(source).suffix.lower() in VIDEO_SUFFIXES or DEVICE.fullmatch(source) or is_recording(Path(source))
    return len(source) + (len("#000000") if many else 0)


def read_sources(
    sources: Sequence[str], channels: str, images_per_second: float, topics: Sequence[str] = ()
) -> Iterator[SourceFrame]:
    """Read the frames of all sources, one after the other.

    Images and videos carry no time of day: their stamps count from 0 through all of them, at ``images_per_second`` for images
    and at the container's rate for videos. Recordings have stamps of their own, a camera has the clock's.

    Raises:
        MediaError: a source cannot be read; the message names it.
    """
    clock = 0.0
    for source in sources:
        device, path = DEVICE.fullmatch(source), Path(source)
        if device:
            yield from _camera(int(device.group(1)), channels)
        elif is_recording(path):
            for i, (topic, stamp_ns, image) in enumerate(read_recording(path, channels, topics)):
                yield SourceFrame(f"{source}#{i:06d}", topic, stamp_ns, image)
        else:
            rate = video_rate(path) or images_per_second
            for name, image in read_frames(path, channels):
                yield SourceFrame(name, CAMERA, round(clock * _NANOSECONDS), image)
                clock += 1 / rate


def _camera(number: int, channels: str) -> Iterator[SourceFrame]:
    try:
        import cv2
    except ImportError as error:
        raise missing_extra(f"reading camera:{number}", "media") from error
    capture = cv2.VideoCapture(number)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the latest frame, not the oldest that waits
    try:
        if not capture.isOpened():
            raise MediaError(f"expected a camera at camera:{number}, found none: see /dev/video*")
        for i in count():
            grabbed, image = capture.read()
            if not grabbed:
                raise MediaError(f"camera:{number} gave no frame after {i} frames: check its cable and driver")
            frame = np.asarray(image, np.uint8)
            turned = frame if channels == "bgr" else frame[..., ::-1]
            yield SourceFrame(f"camera:{number}#{i:06d}", f"camera:{number}", time.time_ns(), turned)
    finally:
        capture.release()
