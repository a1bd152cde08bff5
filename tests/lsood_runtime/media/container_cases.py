# SPDX-License-Identifier: Apache-2.0
"""Cases of video containers: their suffixes, rates, turned pictures, damage."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from lsood_runtime._media.videos import read_video
from tests.lsood_runtime.media.input_cases import InputCase, InputOutcome, MadeInput, Make, are_invalid, are_read
from tests.lsood_runtime.media.test_videos import turn

_SIZE = (32, 48)
_SECTION = "Video containers"

Pictures = list[NDArray[np.uint8]]


def write(path: Path, pictures: Pictures, codec: str, pixels: str, times_ms: Sequence[int], form: str | None) -> Path:
    """Encode pictures at their times."""
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixels
        stream.options = {"crf": "4", "threads": "1"} if codec.startswith("lib") else {"q": "1"}
        stream.codec_context.time_base = Fraction(1, 25 if form in ("yuv4mpegpipe", "avi") else 1000)
        for picture, time_ms in zip(pictures, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def draw(rng: np.random.Generator, count: int) -> Pictures:
    """Pictures of one colour each, which no compression changes by much."""
    return [np.full((*_SIZE, 3), rng.integers(40, 216, 3), np.uint8) for _ in range(count)]


def videos(suffix: str, codec: str, pixels: str = "yuv420p", form: str | None = None, *, steady: bool = True) -> Make:
    """A video of five frames, at a steady rate or at random times."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        pictures = draw(rng, 5)
        times = [40 * i for i in range(5)] if steady else np.cumsum(rng.integers(20, 4000, 5)).tolist()
        path = write(folder / f"drive{suffix}", pictures, codec, pixels, times, form)
        return MadeInput(path, tuple(picture.astype(float) for picture in pictures), tolerance=10)

    return make


def turned(folder: Path, rng: np.random.Generator) -> MadeInput:
    """A video that its container turns by a quarter."""
    (colour,) = draw(rng, 1)
    picture = colour.copy()
    picture[:16, :24] = 20
    path = turn(write(folder / "drive.mp4", [picture] * 3, "libx264", "yuv444p", [0, 40, 80], None), 90)
    return MadeInput(path, (np.rot90(picture, 3).astype(float),) * 3, tolerance=24)


def _positions(path: Path) -> list[tuple[int, int]]:
    """Where the bytes of each frame begin, and how many they are."""
    with av.open(str(path)) as container:
        return [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]


def damaged(folder: Path, rng: np.random.Generator) -> MadeInput:
    """A video with a frame in its middle whose bytes are wrong."""
    pictures = draw(rng, 5)
    path = write(folder / "drive.mov", pictures, "png", "rgb24", [40 * i for i in range(5)], None)
    start, size = _positions(path)[2]
    contents = bytearray(path.read_bytes())
    contents[start + 8 : start + size] = bytes(size - 8)
    path.write_bytes(contents)
    shown = [picture.astype(float) for picture in pictures]
    return MadeInput(path, (*shown[:2], None, *shown[3:]))


def cut_off(folder: Path, rng: np.random.Generator) -> MadeInput:
    """A video of four seconds that ends in the middle of a frame."""
    pictures, kept = draw(rng, 20), int(rng.integers(2, 12))
    path = write(folder / "drive.mkv", pictures, "ffv1", "bgr0", [200 * i for i in range(20)], None)
    start, size = _positions(path)[kept]
    path.write_bytes(path.read_bytes()[: start + size // 2])
    return MadeInput(path, tuple(picture.astype(float) for picture in pictures[:kept]))


def torn(suffix: str, codec: str, pixels: str, form: str) -> Make:
    """A video that ends within the data of its fourth frame."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        pictures = [rng.integers(0, 256, (*_SIZE, 3), np.uint8) for _ in range(6)]
        path = write(folder / f"drive{suffix}", pictures, codec, pixels, [40 * i for i in range(6)], form)
        whole = [frame.image.astype(float) for frame in read_video(path, "rgb") if frame.image is not None]
        start, size = _positions(path)[3]
        path.write_bytes(path.read_bytes()[: start + int(rng.integers(size // 2, size - 2))])
        return MadeInput(path, (*whole[:3], None))

    return make


def short(folder: Path, rng: np.random.Generator) -> MadeInput:
    """A video that lacks a part of its last frame, and states no length in seconds."""
    pictures = draw(rng, 4)
    path = write(
        folder / "drive.y4m", pictures, "wrapped_avframe", "yuv420p", [40 * i for i in range(4)], "yuv4mpegpipe"
    )
    path.write_bytes(path.read_bytes()[: -int(rng.integers(1, 1000))])
    return MadeInput(path, tuple(picture.astype(float) for picture in pictures[:3]), tolerance=10)


_read, _invalid = (case(_SECTION) for case in (are_read, are_invalid))

CASES = (
    _read("`.mp4`, `.m4v`, `.3gp`", videos(".mp4", "libx264"), "each frame, at its own time"),
    _read("`.mov`", videos(".mov", "mpeg4"), "the same"),
    _read("`.mkv`", videos(".mkv", "libx264"), "the same"),
    _read("`.webm`", videos(".webm", "libvpx"), "the same"),
    _read("`.ts`, `.mts`, `.m2ts`, `.mpg`, `.mpeg`", videos(".ts", "libx264", form="mpegts"), "the same"),
    _read("`.flv`", videos(".flv", "flv1"), "the same"),
    _read("`.wmv`, `.asf`", videos(".wmv", "wmv2", form="asf"), "the same"),
    _read("`.avi`", videos(".avi", "mjpeg", "yuvj420p", "avi"), "the same; it has a steady rate alone"),
    _read(
        "`.h264`, `.264`",
        videos(".h264", "libx264", form="h264"),
        "each frame; a bare stream has a rate alone",
    ),
    _read("`.mjpeg`, `.mjpg`", videos(".mjpeg", "mjpeg", "yuvj420p", "mjpeg"), "the same"),
    _read("`.y4m`", videos(".y4m", "wrapped_avframe", form="yuv4mpegpipe"), "the same"),
    _read(
        "a variable rate", videos(".mkv", "libx264", steady=False), "each frame, at its own time; the end is no failure"
    ),
    _read("a video that its container turns", turned, "upright"),
    _invalid("a frame that does not decode", damaged, "expected a video frame, cannot decode number 2"),
    InputCase(_SECTION, "a video that was cut off", cut_off, InputOutcome.ENDED, "it is cut off, damaged"),
    InputCase(_SECTION, "`.y4m` that was cut off", short, InputOutcome.ENDED, "it ends in the midst of a frame"),
    InputCase(
        _SECTION,
        "`.mjpeg` that ends within a picture",
        torn(".mjpeg", "mjpeg", "yuvj420p", "mjpeg"),
        InputOutcome.TORN,
        "cannot decode number 3",
    ),
    InputCase(
        _SECTION,
        "`.h264`, `.h265`, `.mpg`, and a transport stream that ends between two packets",
        videos(".h264", "libx264", form="h264"),
        InputOutcome.NOTED,
        "its format does not say whether it was cut off",
    ),
)
