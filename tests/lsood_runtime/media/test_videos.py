# SPDX-License-Identifier: Apache-2.0
"""Videos: each frame at its own time and upright; damage costs the frames that it hit, and is named."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsood_runtime import MediaError
from lsood_runtime._media.sources import SourceReader
from lsood_runtime._media.videos import VIDEO_SUFFIXES, VideoFrame, read_video

MILLISECOND = 1_000_000
HEIGHT, WIDTH = 48, 64
CONTAINERS = {
    "mp4": ("libx264", None, "yuv420p"),
    "mov": ("mpeg4", None, "yuv420p"),
    "mkv": ("libx264", None, "yuv420p"),
    "webm": ("libvpx", None, "yuv420p"),
    "ts": ("libx264", "mpegts", "yuv420p"),
    "flv": ("flv1", None, "yuv420p"),
    "wmv": ("wmv2", "asf", "yuv420p"),
}
BARE = {
    "h264": ("libx264", "h264", "yuv420p"),
    "mjpeg": ("mjpeg", "mjpeg", "yuvj420p"),
    "y4m": ("wrapped_avframe", "yuv4mpegpipe", "yuv420p"),
}


def numbered_frame(number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """A frame whose number can be read off after lossy compression: eight stripes, dark or bright, are its bits."""
    bits = np.repeat([40 + 175 * (number >> bit & 1) for bit in range(8)], width // 8)
    noise = np.random.default_rng(number).integers(-40, 41, (height, width))
    return np.clip(bits + noise, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


def number_of(image: NDArray[np.uint8] | None) -> int | None:
    if image is None:
        return None
    stripes = image[:, :, 1].reshape(image.shape[0], 8, -1).mean((0, 2))
    return sum(int(stripe > 128) << bit for bit, stripe in enumerate(stripes))


def write_video(
    path: Path,
    times_ms: Sequence[int],
    kind: tuple[str, str | None, str],
    *,
    group: int = 12,
    options: dict[str, str] | None = None,
) -> Path:
    """Numbered frames, each at its time, by FFmpeg's encoders."""
    codec, container, pixels = kind
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, pixels, group
        stream.options = {"threads": "1"} if codec == "libx264" else {}  # the same file every time
        stream.codec_context.time_base = Fraction(1, 25 if container in ("yuv4mpegpipe", "avi") else 1000)
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


STEPS = st.lists(st.integers(10, 5000), min_size=1, max_size=30)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, start=st.sampled_from([0, 40, 5000]), suffix=st.sampled_from(sorted(CONTAINERS)))
def test_read_video_of_a_variable_rate_keeps_each_frames_time(
    tmp_path: Path, steps: list[int], start: int, suffix: str
) -> None:
    times = np.concatenate([[0], np.cumsum(steps)])
    path = write_video(tmp_path / f"x.{suffix}", (start + times).tolist(), CONTAINERS[suffix])
    frames = list(read_video(path, "rgb"))
    assert [number_of(frame.image) for frame in frames] == list(range(len(times)))
    assert [frame.time_ns / MILLISECOND for frame in frames] == pytest.approx(times.tolist(), abs=1)
    assert not any(frame.fault for frame in frames)


@pytest.mark.parametrize("suffix", BARE)
def test_read_video_of_a_bare_stream_counts_by_its_rate(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"x.{suffix}", range(0, 1200, 40), BARE[suffix])
    frames = list(read_video(path, "rgb"))
    assert [number_of(frame.image) for frame in frames] == list(range(30))
    assert [frame.time_ns for frame in frames] == [40 * MILLISECOND * i for i in range(30)]


def test_read_video_of_joined_files_goes_on_from_the_last_time(tmp_path: Path) -> None:
    """As dash cameras write: transport streams one after another, whose times begin anew."""
    parts = [write_video(tmp_path / f"{i}.ts", range(0, 1000, 40), CONTAINERS["ts"]) for i in range(3)]
    (tmp_path / "all.ts").write_bytes(b"".join(path.read_bytes() for path in parts))
    frames = list(read_video(tmp_path / "all.ts", "rgb"))
    assert [number_of(frame.image) for frame in frames] == [*range(25)] * 3
    times = np.array([frame.time_ns for frame in frames])
    assert np.all(np.diff(times) > 0)
    assert times[-1] / 1e9 == pytest.approx(74 * 0.04, abs=0.2)


def turn(path: Path, degrees: int) -> Path:
    """Write a turn into the track header's matrix, as telephones do."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    contents = path.read_bytes()
    start = contents.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = (value << 16 for value in matrix)
    turned = contents[:start] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + contents[start + 36 :]
    path.write_bytes(turned)
    return path


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 3), (180, 2), (270, 1)])
def test_read_video_that_was_turned_is_upright(tmp_path: Path, degrees: int, quarters: int) -> None:
    (frame, *_) = read_video(write_video(tmp_path / "x.mp4", [0, 40, 80], CONTAINERS["mp4"]), "rgb")
    (turned, *_) = read_video(turn(write_video(tmp_path / "y.mp4", [0, 40, 80], CONTAINERS["mp4"]), degrees), "rgb")
    assert frame.image is not None
    assert turned.image is not None
    np.testing.assert_array_equal(turned.image, np.rot90(frame.image, quarters))


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_read_video_colours_follow_space_and_range(tmp_path: Path, channels: str, full: bool, wide: bool) -> None:
    """YUV of BT.601 or BT.709, limited or full, written plane by plane; the colours by the standards' own equations."""
    rng = np.random.default_rng(3)
    planes = rng.integers(60, 190, (3, HEIGHT, WIDTH)).astype(np.uint8)
    planes = np.repeat(np.repeat(planes[:, ::16, ::16], 16, 1), 16, 2)
    red, blue = (0.2126, 0.0722) if wide else (0.299, 0.114)
    with av.open(str(tmp_path / "x.mkv"), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.codec_context.colorspace = 1 if wide else 5
        stream.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        frame.colorspace, frame.color_range = 1 if wide else 5, 2 if full else 1
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    y, u, v = (plane.astype(float) for plane in planes)
    luma = y if full else (y - 16) * 255 / 219
    scale = 255 / 255 if full else 255 / 224
    r = luma + 2 * (1 - red) * (v - 128) * scale
    b = luma + 2 * (1 - blue) * (u - 128) * scale
    g = (luma - red * r - blue * b) / (1 - red - blue)
    expected = np.clip(np.stack([r, g, b] if channels == "rgb" else [b, g, r], -1), 0, 255)
    (read,) = read_video(tmp_path / "x.mkv", channels)
    assert read.image is not None
    np.testing.assert_allclose(read.image, expected, atol=3)


def decode(path: Path) -> tuple[list[VideoFrame], str]:
    """The frames up to the end or the failure, and the message of that."""
    frames: list[VideoFrame] = []
    try:
        frames.extend(read_video(path, "rgb"))
    except MediaError as error:
        return frames, str(error)
    return frames, ""


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.3, 0.9), length=st.floats(0.005, 0.08), suffix=st.sampled_from(["mp4", "mov", "mkv", "ts"]))
def test_read_video_with_a_corrupt_middle_goes_on_behind_it(
    tmp_path: Path, place: float, length: float, suffix: str
) -> None:
    options = {"movflags": "faststart"} if suffix in ("mp4", "mov") else {}
    path = write_video(tmp_path / f"x.{suffix}", range(0, 4000, 40), CONTAINERS[suffix], options=options)
    contents = bytearray(path.read_bytes())
    start = int(place * len(contents))
    stop = start + max(16, int(length * len(contents)))
    contents[start:stop] = np.random.default_rng(1).integers(0, 256, len(contents[start:stop]), np.uint8).tobytes()
    path.write_bytes(contents)
    frames, message = decode(path)
    times = [frame.time_ns for frame in frames]
    assert times == sorted(set(times)), "times rise"
    for frame in frames:
        assert (frame.image is None) == bool(frame.fault)
        assert not frame.fault or str(path) in frame.fault
    # A frame that is intact stands at its own time; those that the damage hit may show anything.
    read = [(number_of(frame.image), frame.time_ns) for frame in frames if frame.image is not None]
    right = sum(number is not None and time == 40 * MILLISECOND * number for number, time in read)
    assert right >= 100 * (1 - length) - 3 * 12 or message, "damage costs what it hit, and what refers to that"
    assert len(frames) >= 100 * (1 - length) - 12 or message


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0.05, 0.6), suffix=st.sampled_from(["mp4", "mkv", "ts", "avi"]))
def test_read_video_that_is_cut_off_gives_what_is_there_and_says_so(tmp_path: Path, cut: float, suffix: str) -> None:
    kind = CONTAINERS.get(suffix, ("mpeg4", "avi", "yuv420p"))
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    path = write_video(tmp_path / f"x.{suffix}", range(0, 4000, 40), kind, options=options)
    whole = len(list(read_video(path, "rgb")))
    assert whole == 100
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    frames, message = decode(path)
    assert len(frames) < 100
    for frame in frames[:-12]:
        assert frame.time_ns == 40 * MILLISECOND * (number_of(frame.image) or 0)
    if suffix in ("mp4", "mkv"):  # those state their length before their frames
        assert f"could read {len(frames)} of {path}: it is cut off" in message


def test_read_video_without_video_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=8000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    for path, contents, message in (
        (tmp_path / "sound.mp4", None, "it has no video stream"),
        (tmp_path / "words.mp4", b"no video" * 100, "Invalid data"),
        (tmp_path / "empty.mkv", b"", "Invalid data|End of file"),
        (tmp_path / "missing.mkv", ..., "No such file"),
    ):
        if isinstance(contents, bytes):
            path.write_bytes(contents)
        with pytest.raises(MediaError, match=rf"expected a video, could read 0 of {path}: .*({message})"):
            list(read_video(path, "rgb"))


def test_read_video_with_sound_that_goes_on_is_whole(tmp_path: Path) -> None:
    """The container's length is that of its sound: no frame is missing."""
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as file:
        video, sound = file.add_stream("mpeg4", rate=25), file.add_stream("aac", rate=8000)
        assert isinstance(video, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(10):
            file.mux(video.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        for part in range(100):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * part
            file.mux(sound.encode(frame))
        file.mux(video.encode())
        file.mux(sound.encode())
    frames, message = decode(path)
    assert (len(frames), message) == (10, "")


def test_source_reader_of_videos_and_images_counts_through(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.mkv", [0, 100, 500], CONTAINERS["mkv"])
    second = write_video(tmp_path / "b.mp4", [0, 40, 80], CONTAINERS["mp4"])
    stamps = [frame.stamp_ns // MILLISECOND for frame in SourceReader([str(first), str(second)], "rgb", 10.0)]
    assert stamps == [0, 100, 500, 900, 940, 980], "a source begins one interval of the last one after its end"


def test_video_suffixes_are_lower_case_and_each_once() -> None:
    assert len(set(VIDEO_SUFFIXES)) == len(VIDEO_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in VIDEO_SUFFIXES)
    assert {".ts", ".h264", ".h265", ".flv", ".wmv", ".ogv", ".y4m", ".mjpeg"} <= set(VIDEO_SUFFIXES)
