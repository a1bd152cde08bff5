# SPDX-License-Identifier: Apache-2.0
"""Files in the order of recording: numbers count as numbers, hidden files and sub-folders stay out, by one rule."""

import os
import random
import string
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from export.errors import UsageError
from export.frames.files import FrameFiles
from lsood_runtime import MediaError
from lsood_runtime._media.file_order import natural_order, undo_shell_order
from lsood_runtime._media.sources import SourceReader, find_sources

PREFIX = st.text(string.ascii_letters + "_-.", max_size=6).map(lambda text: f"x{text}_")
SUFFIX = st.sampled_from([".png", "_left.png", "-a.jpg"])


@given(st.lists(st.integers(0, 10**20), unique=True, max_size=30), PREFIX, SUFFIX, st.randoms())
def test_natural_order_numbered_frames_come_by_their_numbers(
    numbers: list[int], prefix: str, suffix: str, shuffle: random.Random
) -> None:
    names = [Path(f"{prefix}{number}{suffix}") for number in sorted(numbers)]
    mixed = names.copy()
    shuffle.shuffle(mixed)
    assert natural_order(mixed) == names
    assert undo_shell_order(sorted(mixed)) == names


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 2000)), unique=True, max_size=30), st.randoms())
def test_natural_order_drives_come_before_frames(pairs: list[tuple[int, int]], shuffle: random.Random) -> None:
    paths = [Path(f"drives/drive{drive}/f{frame}.png") for drive, frame in sorted(pairs)]
    mixed = paths.copy()
    shuffle.shuffle(mixed)
    assert natural_order(mixed) == paths
    assert undo_shell_order(sorted(mixed, key=str)) == paths


@given(st.lists(st.integers(0, 10**9), unique=True, max_size=20), st.integers(1, 9))
def test_natural_order_times_in_seconds_come_by_time(ticks: list[int], digits: int) -> None:
    """Seconds with a fraction, written with as many digits as it has, as ``str`` does."""
    unit = 10**digits
    paths = [
        Path(f"{1_700_000_000 + tick // unit}.{tick % unit:0{digits}d}".rstrip("0") + "0.png") for tick in sorted(ticks)
    ]
    assert natural_order(reversed(paths)) == paths


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "en_US.UTF-8"])
def test_undo_shell_order_what_a_shell_expands_is_in_natural_order(tmp_path: Path, locale: str) -> None:
    names = [f"Frame_{i}.png" if i % 3 == 0 else f"frame_{i}.png" for i in (1, 2, 3, 9, 10, 11, 20, 100)]
    for name in names:
        (tmp_path / name).touch()
    listed = subprocess.run(
        ["bash", "-c", "echo *.png"], cwd=tmp_path, env={"LC_ALL": locale}, capture_output=True, text=True, check=True
    ).stdout.split()
    lower = [Path(name) for name in listed if name.startswith("frame")]
    assert [path.stem for path in undo_shell_order(lower)] == [f"frame_{i}" for i in (1, 2, 10, 11, 20, 100)]


@pytest.mark.parametrize("names", [["f10", "f2", "f1"], ["f2", "f10", "f1"], ["b", "a", "f10"]])
def test_undo_shell_order_of_an_order_of_ones_own_keeps_it(names: list[str]) -> None:
    paths = [Path(name) for name in names]
    assert undo_shell_order(paths) == paths


def test_undo_shell_order_of_two_patterns_orders_each(tmp_path: Path) -> None:
    given_order = [Path("b/f1"), Path("b/f10"), Path("b/f2"), Path("a/f1"), Path("a/f10"), Path("a/f2")]
    assert list(map(str, undo_shell_order(given_order))) == ["b/f1", "b/f2", "b/f10", "a/f1", "a/f2", "a/f10"]


def found(tmp_path: Path, *sources: str) -> list[str]:
    paths = find_sources([f"{tmp_path}/{source}" for source in sources])
    return [str(Path(path).relative_to(tmp_path)) for path in paths]


def test_find_sources_files_folders_and_patterns_are_in_order(tmp_path: Path) -> None:
    for name in (
        "b.png",
        "a.JPG",
        "c.mp4",
        "notes.txt",
        "deeper/d.png",
        "e[1].png",
        "._b.png",
        ".hidden.png",
        "f.mcap",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "metadata.yaml").touch()
    assert found(tmp_path, "") == ["a.JPG", "b.png", "bag", "c.mp4", "e[1].png", "f.mcap"]
    assert found(tmp_path, "c.mp4", "b.png") == ["c.mp4", "b.png"]
    assert found(tmp_path, "notes.txt") == ["notes.txt"], "a file that is named is tried, whatever it is called"
    assert found(tmp_path, "._b.png") == ["._b.png"]
    assert found(tmp_path, "?.[pJ]*") == ["a.JPG", "b.png"]
    assert found(tmp_path, "**/*.png") == ["b.png", "deeper/d.png", "e[1].png"]
    assert found(tmp_path, "e[1].png") == ["e[1].png"]
    assert found(tmp_path, "bag") == ["bag"]
    for source, message in (
        ("nothing", "found nothing at"),
        ("*.gif", "found nothing at"),
        ("folder.png", "found none: check the folder"),
    ):
        with pytest.raises(MediaError, match=message):
            found(tmp_path, source)


def test_find_sources_folder_of_drives_is_named_and_its_pattern_reads_them(tmp_path: Path) -> None:
    for drive in (1, 2, 10):
        for frame in (1, 2, 10):
            path = tmp_path / "drives" / f"drive_{drive}" / f"frame_{frame}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (tmp_path / "drives" / "empty").mkdir()
    with pytest.raises(MediaError, match=r"found none: 3 of its folders hold some, name them: .*drives/\*/"):
        found(tmp_path, "drives")
    expected = [f"drives/drive_{drive}/frame_{frame}.png" for drive in (1, 2, 10) for frame in (1, 2, 10)]
    assert found(tmp_path, "drives/*/") == expected
    assert found(tmp_path, *sorted(f"drives/drive_{drive}" for drive in (1, 2, 10))) == expected
    assert found(tmp_path, *sorted(expected)) == expected


@given(st.lists(st.integers(0, 3000), unique=True, min_size=1, max_size=12))
def test_frame_files_and_find_sources_have_one_order(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("drive")
    for number in numbers:
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(folder / f"frame{number}.png")
        (folder / f"._frame{number}.png").touch()
    expected = [str(folder / f"frame{number}.png") for number in sorted(numbers)]
    assert [str(path) for path in FrameFiles([folder]).paths] == expected
    assert [str(path) for path in FrameFiles(sorted(expected)).paths] == expected
    assert find_sources([str(folder)]) == expected == find_sources(sorted(expected))


def test_find_sources_that_the_system_refuses_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with pytest.raises(MediaError, match=r"cannot look at x+.*: File name too long"):
        find_sources(["x" * 5000])
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MediaError, match=f"cannot look at {tmp_path}: Permission denied"):
        find_sources([str(tmp_path)])


def test_find_sources_behind_a_camera_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert find_sources([str(tmp_path), "camera:1"]) == [str(tmp_path / "a.png"), "camera:1"]
    for sources in (["camera:0", "camera:1"], ["camera:0", str(tmp_path)]):
        with pytest.raises(MediaError, match="expected camera:0 as the last source, it does not end"):
            find_sources(sources)


def test_find_sources_links_to_files_that_are_gone_are_frames_that_cannot_be_read(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8)).save(tmp_path / "0.png")
    (tmp_path / "1.png").symlink_to(tmp_path / "not_mounted" / "1.png")
    (tmp_path / "folder.png").mkdir()
    expected = [str(tmp_path / "0.png"), str(tmp_path / "1.png")]
    assert find_sources([str(tmp_path)]) == find_sources(expected) == find_sources([f"{tmp_path}/[01].png"]) == expected
    first, second = SourceReader(expected, "rgb", 10.0)
    assert first.fault == ""
    assert "No such file" in second.fault
    with pytest.raises(UsageError, match=r"cannot read .*1\.png"):
        list(FrameFiles([tmp_path]))


def test_find_sources_of_a_named_pipe_are_refused_before_anything_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0.png")
    with pytest.raises(MediaError, match=r"0\.png, which is a pipe or a device"):
        find_sources([str(tmp_path / "0.png")])
