# SPDX-License-Identifier: Apache-2.0
"""Frames out of files: what was written comes back, and damaged files are named."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lsood_runtime import MediaError
from lsood_runtime._media.files import read_frames
from lsood_runtime._media.pixel_rules import PixelRules

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)


def write_video(path: Path, codec: str, count: int) -> Path:
    """Frames of one colour each, red growing and blue falling."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
    for i in range(count):
        writer.write(np.full((48, 64, 3), (200 - 3 * i, 100, 3 * i), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tiff", ".PNG"])
def test_read_frames_image_has_the_channel_order_asked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(PIXELS).save(path)
    ((name, rgb),) = read_frames(path, "rgb")
    ((_, bgr),) = read_frames(path, "bgr")
    assert name == str(path)
    np.testing.assert_array_equal(rgb, PIXELS)
    np.testing.assert_array_equal(bgr, PIXELS[..., ::-1])


def test_read_frames_turned_image_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned to the left
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    ((_, frame),) = read_frames(tmp_path / "turned.png", "rgb")
    np.testing.assert_array_equal(frame, np.rot90(PIXELS, -1))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_read_frames_other_image_modes_become_three_channels(tmp_path: Path, mode: str) -> None:
    Image.fromarray(PIXELS).convert(mode).save(tmp_path / "frame.png")
    ((_, frame),) = read_frames(tmp_path / "frame.png", "rgb", PixelRules(grey=mode == "L"))
    assert frame.shape == (48, 64, 3)
    assert frame.dtype == np.uint8


def test_read_frames_deep_image_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    with pytest.raises(MediaError, match=r"deep\.png: expected 8 bits a value, got 16"):
        list(read_frames(tmp_path / "deep.png", "rgb", PixelRules(grey=True)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_read_frames_damaged_image_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(MediaError, match=rf"cannot read .*frame\{suffix}: "):
        list(read_frames(path, "rgb"))
    path.write_text("no image")
    with pytest.raises(MediaError, match="expected an image"):
        list(read_frames(path, "rgb"))


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "MJPG"), (".mp4", "mp4v"), (".mkv", "MJPG")])
def test_read_frames_video_gives_each_frame(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"drive{suffix}", codec, 15)
    for channels, red in (("rgb", 0), ("bgr", 2)):
        frames = list(read_frames(path, channels))
        assert [name for name, _ in frames] == [f"{path}#{i:06d}" for i in range(15)]
        reds = [frame[..., red].mean() for _, frame in frames]
        np.testing.assert_allclose(reds, 3 * np.arange(15), atol=6)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(MediaError, match=rf"could read \d+ of .*drive\{suffix}: it is cut off"):
        list(read_frames(path, "rgb"))


def test_read_frames_damaged_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(MediaError, match=r"expected a video, could read 0 of .*drive\.mp4"):
        list(read_frames(tmp_path / "drive.mp4", "rgb"))


@pytest.mark.parametrize(("name", "library", "extra"), [("frame.png", "PIL", "media"), ("drive.mp4", "av", "video")])
def test_read_frames_without_the_library_names_the_extra(
    name: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MediaError, match=rf"with its extra {extra}, pip install 'lsood_runtime-.*\.whl\[{extra}\]'"):
        list(read_frames(Path(name), "rgb"))
