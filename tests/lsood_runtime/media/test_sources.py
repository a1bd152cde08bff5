# SPDX-License-Identifier: Apache-2.0
"""A folder is a drive: its frames follow each other on one camera, and those of several folders do not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import MediaError
from lsood_runtime._media.cameras import read_camera
from lsood_runtime._media.sources import SourceReader, find_sources
from tests.lsood_runtime.conftest import random_frames


def write_drive(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i, frame in enumerate(random_frames(count, seed=count)):
        Image.fromarray(frame).save(folder / f"{i}.png")
    return folder


def cameras_and_tenths(sources: list[str]) -> list[tuple[str, int]]:
    return [(frame.camera, frame.stamp_ns // 10**8) for frame in SourceReader(find_sources(sources), "rgb", 10.0)]


def test_source_reader_of_one_folder_has_one_camera(tmp_path: Path) -> None:
    drive = write_drive(tmp_path / "monday", 3)
    expected = [("camera", 0), ("camera", 1), ("camera", 2)]
    assert cameras_and_tenths([str(drive)]) == expected
    assert cameras_and_tenths([str(path) for path in sorted(drive.iterdir())]) == expected


def test_source_reader_of_several_folders_has_a_camera_and_a_time_for_each(tmp_path: Path) -> None:
    first, second = write_drive(tmp_path / "monday", 2), write_drive(tmp_path / "tuesday", 3)
    expected = [(str(first), 0), (str(first), 1), (str(second), 0), (str(second), 1), (str(second), 2)]
    assert cameras_and_tenths([str(first), str(second)]) == expected
    assert cameras_and_tenths([f"{tmp_path}/*/"]) == expected
    mixed = [first / "0.png", second / "0.png", first / "1.png", second / "1.png"]
    alternating = [(str(first), 0), (str(second), 0), (str(first), 1), (str(second), 1)]
    assert cameras_and_tenths([str(path) for path in mixed]) == alternating


@pytest.mark.parametrize("sources", [[""], ["monday", ""]])
def test_find_sources_of_an_empty_path_are_refused(
    sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_drive(tmp_path / "monday", 1)
    monkeypatch.chdir(tmp_path / "monday" if sources == [""] else tmp_path)
    with pytest.raises(MediaError, match="got an empty path: name a file, a folder or a pattern"):
        find_sources(sources)


@pytest.mark.parametrize("scheme", ["rtsp", "http", "https", "udp", "srt", "file"])
def test_find_sources_of_an_address_says_how_to_record_it(scheme: str) -> None:
    with pytest.raises(MediaError, match=rf"got the address {scheme}://camera/stream: record the stream") as caught:
        find_sources([f"{scheme}://camera/stream"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "instead"),
    [("/dev/video0", "camera:0"), ("/dev/video12", "camera:12"), ("camera:", "camera:0"), ("camera:front", "camera:0")],
)
def test_find_sources_of_a_device_under_another_name_says_its_own(source: str, instead: str) -> None:
    with pytest.raises(MediaError, match=rf"as camera:NUMBER, got {source}: write {instead}$"):
        find_sources([source])


def test_camera_that_is_not_there_is_one_error_and_no_log_of_opencv(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MediaError, match=r"^expected a camera at camera:97, found none: see /dev/video\*$"):
        next(read_camera(97, "rgb", lambda: None))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_source_reader_of_a_picture_with_an_orientation_gives_it_upright(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    """Stored as a camera that was held so stores it; each way back is written out by NumPy."""
    upright = np.random.default_rng(orientation).integers(0, 256, (6, 8, 3), np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    path = tmp_path / f"frame{suffix}"
    picture = Image.fromarray(np.ascontiguousarray(stored))
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)
    (frame,) = SourceReader([str(path)], "rgb", 10.0)
    np.testing.assert_array_equal(frame.image, upright)
