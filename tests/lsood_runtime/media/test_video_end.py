# SPDX-License-Identifier: Apache-2.0
"""Videos that were cut off anywhere: no half a picture passes for a frame without a word."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from lsood_runtime import MediaError
from lsood_runtime._media.sources import SourceReader
from lsood_runtime._media.video_end import VideoEnd, find_video_end
from lsood_runtime._media.videos import VideoFrame, read_video
from tests.lsood_runtime.media.test_videos import HEIGHT, WIDTH, numbered_frame

FRAMES = 24
FORMATS = {
    "h264.ts": ("libx264", "mpegts", "yuv420p"),
    "h265.ts": ("libx265", "mpegts", "yuv420p"),
    "h264": ("libx264", "h264", "yuv420p"),
    "h265": ("libx265", "hevc", "yuv420p"),
    "mpg": ("mpeg2video", "mpeg", "yuv420p"),
    "mjpeg": ("mjpeg", "mjpeg", "yuvj420p"),
    "y4m": ("wrapped_avframe", "yuv4mpegpipe", "yuv420p"),
    "mkv": ("libx264", "matroska", "yuv420p"),
    "webm": ("libvpx", "webm", "yuv420p"),
    "avi": ("mpeg4", "avi", "yuv420p"),
    "flv": ("flv1", "flv", "yuv420p"),
    "wmv": ("wmv2", "asf", "yuv420p"),
    "mov": ("mpeg4", "mov", "yuv420p"),
}
SILENT = ("h264", "h265", "mpg")
"""Formats that never say whether their last frame is whole, as FFmpeg writes them."""


@pytest.fixture(scope="module", params=FORMATS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of each format, of two key frames and, where its codec has them, frames that build on later ones."""
    suffix = str(request.param)
    codec, form, pixels = FORMATS[suffix]
    path = tmp_path_factory.mktemp("video") / f"whole.{suffix}"
    options = {"movflags": "faststart"} if form == "mov" else {}
    with av.open(str(path), "w", format=form, options=options) as file:
        stream = file.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, pixels, 12
        stream.options = (
            {"threads": "1", "x265-params": "log-level=none:pools=none"} if codec.startswith("libx") else {}
        )
        for number in range(FRAMES):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        file.mux(stream.encode())
    return path


def read(path: Path) -> tuple[list[VideoFrame], list[str], str]:
    """Frames, notes, and the message of what ended the video."""
    frames, notes = list[VideoFrame](), list[str]()
    try:
        frames.extend(read_video(path, "rgb", tell=notes.append))
    except MediaError as error:
        return frames, notes, str(error)
    return frames, notes, ""


def cuts(size: int, count: int, seed: int) -> list[int]:
    """Places at random, a third of them where packets of a transport stream end."""
    places = np.random.default_rng(seed).integers(size // 5, size, count)
    return [int(place - place % 188 if i % 3 == 0 else place) for i, place in enumerate(places)]


@pytest.mark.parametrize("seed", range(3))
def test_read_video_cut_anywhere_shows_no_half_a_picture_without_a_word(whole: Path, tmp_path: Path, seed: int) -> None:
    pictures = {frame.image.tobytes() for frame in read(whole)[0] if frame.image is not None}
    assert len(pictures) == FRAMES
    contents, path = whole.read_bytes(), tmp_path / f"cut{whole.suffix}"
    for cut in cuts(len(contents), 5, seed):
        path.write_bytes(contents[:cut])
        frames, notes, message = read(path)
        wrong = [frame for frame in frames if frame.image is not None and frame.image.tobytes() not in pictures]
        if wrong:
            assert len(wrong) <= 3, "what was coded last, and what builds on it"
            assert "may be half a picture" in "".join(notes)
        if whole.name.endswith((".mjpeg", ".mkv", ".webm", ".y4m")):
            assert message.endswith("; copy or convert it"), "these know that they were cut"
        assert all(str(path) in words for words in (*notes, *filter(None, [message])))


def test_read_video_that_is_whole_has_no_fault(whole: Path) -> None:
    frames, notes, message = read(whole)
    assert (len(frames), message) == (FRAMES, "")
    assert not any(frame.fault for frame in frames)
    assert bool(notes) == (whole.name.split(".", 1)[1] in SILENT)
    reader = SourceReader([str(whole)], "rgb", 10.0)
    assert len(list(reader)) == FRAMES
    assert reader.notes == notes


def packets_of(contents: bytes, length: int = 188) -> list[bytes]:
    return [contents[i : i + length] for i in range(0, len(contents), length)]


@pytest.mark.parametrize(
    "wrap", [lambda p: p, lambda p: b"time" + p, lambda p: p + bytes(16)], ids=["188", "192", "204"]
)
def test_find_video_end_of_a_transport_stream_knows_each_place_where_it_may_end(
    tmp_path: Path, wrap: Callable[[bytes], bytes]
) -> None:
    """Against the bytes that FFmpeg gives for each frame: a cut within them is torn, behind them whole."""
    path = tmp_path / "x.ts"
    with av.open(str(path), "w", format="mpegts") as file:
        stream = file.add_stream("mpeg2video", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(6):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        file.mux(stream.encode())
    packets = packets_of(path.read_bytes())
    is_video = [packet[1] & 0x1F == 1 and packet[2] == 0 for packet in packets]
    starts = [i for i, packet in enumerate(packets) if is_video[i] and packet[1] & 0x40]
    ends = [max(i for i in range(start, stop) if is_video[i]) for start, stop in pairwise([*starts, len(packets)])]
    for count in range(starts[1], len(packets)):
        whole = b"".join(map(wrap, packets[:count]))
        for extra in (0, 3, 60):
            place = whole + wrap(packets[count])[: extra + 4 * (wrap(b"")[:4] == b"time")] if extra else whole
            path.write_bytes(place)
            end = find_video_end(path, "mpegts", "mpeg2video", 0x100)
            last = max(i for i in range(count) if is_video[i])
            if extra and is_video[count]:
                expected = {VideoEnd.WHOLE if count in starts else VideoEnd.TORN}
            else:
                expected = {VideoEnd.WHOLE, VideoEnd.UNKNOWN} if last in ends else {VideoEnd.UNKNOWN}
            assert end in expected, (count, extra)


@pytest.mark.parametrize(
    ("codec", "mark", "other"), [("h264", b"\x0b", b"\x65\x88"), ("hevc", b"\x4a\x01", b"\x26\x01\x88")]
)
def test_find_video_end_of_a_bare_stream_takes_its_mark(tmp_path: Path, codec: str, mark: bytes, other: bytes) -> None:
    path = tmp_path / "x"
    for units, expected in (([other, mark], VideoEnd.WHOLE), ([mark, other], VideoEnd.UNKNOWN), ([], VideoEnd.UNKNOWN)):
        path.write_bytes(b"".join(b"\0\0\0\1" + unit for unit in units))
        assert find_video_end(path, codec, codec, 0) is expected


def test_find_video_end_of_a_matroska_without_lengths_is_left_open(tmp_path: Path) -> None:
    """A recorder that streams leaves the length of the segment open, in as many bytes as it likes."""
    head = b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67"
    for length, body, expected in (
        (b"\xff", b"cluster", VideoEnd.WHOLE),
        (b"\x01" + b"\xff" * 7, b"cluster", VideoEnd.WHOLE),
        (b"\x87", b"cluster", VideoEnd.WHOLE),
        (b"\x88", b"cluster", VideoEnd.CUT),
        (b"\x40\x08", b"cluster", VideoEnd.CUT),
        (b"\x40\x07", b"cluster", VideoEnd.WHOLE),
    ):
        (tmp_path / "x.mkv").write_bytes(head + length + body)
        assert find_video_end(tmp_path / "x.mkv", "matroska,webm", "h264", 0) is expected
