# SPDX-License-Identifier: Apache-2.0
"""A folder is a drive: its frames follow each other on one camera, and those of several folders do not."""

from pathlib import Path

import pytest
from PIL import Image

from lsood_runtime import MediaError
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
