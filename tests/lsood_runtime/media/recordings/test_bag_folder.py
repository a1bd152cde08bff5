# SPDX-License-Identifier: Apache-2.0
"""Folders of ROS 2 bags: split, compressed, without metadata, with files that are missing."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from lsood_runtime._media.sources import find_sources
from tests.lsood_runtime.media.recordings.drives import (
    IMAGE,
    ROS2,
    Shot,
    assert_frames_are,
    by_time,
    drive,
    replay,
    ros_image,
)


def write_bag(
    path: Path,
    shots: Sequence[Shot],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {
            camera: writer.add_connection(camera, IMAGE, typestore=ROS2) for camera in sorted({s.camera for s in shots})
        }
        for shot in shots:
            writer.write(connections[shot.camera], shot.recorded_ns, ros_image(shot))
    return path


def write_split_bag(path: Path, shots: Sequence[Shot], parts: int, plugin: StoragePlugin) -> Path:
    """A bag of several files, as a recorder that splits by size leaves it: ten come before two by name."""
    path.mkdir()
    size = -(-len(shots) // parts)
    names = []
    for i in range(parts):
        single = write_bag(path / "single", shots[i * size : (i + 1) * size], plugin)
        file = next(file for file in single.iterdir() if file.suffix in (".mcap", ".db3"))
        names.append(f"drive_{i}{file.suffix}")
        file.rename(path / names[-1])
        metadata = (single / "metadata.yaml").read_text()
        listed = file.name
        shutil.rmtree(single)
    (path / "metadata.yaml").write_text(metadata.replace(f"- {listed}", "- " + "\n  - ".join(names), 1))
    return path


@pytest.mark.parametrize(
    ("plugin", "compression"),
    [
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
    ],
)
@pytest.mark.parametrize("metadata", [True, False])
def test_bag_of_any_compression_is_read_with_its_metadata_and_without(
    tmp_path: Path, plugin: StoragePlugin, compression: CompressionMode, metadata: bool
) -> None:
    shots = drive(1, 9, cameras=3, shuffled=True)
    path = write_bag(tmp_path / "drive", shots, plugin, compression)
    if not metadata:
        (path / "metadata.yaml").unlink()
    sources = find_sources([str(path)])
    assert len(sources) == 1
    got = replay(Path(sources[0]))
    assert_frames_are(got.frames, by_time(shots))
    assert (got.told, got.error) == ([], "")


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_bag_of_several_files_is_read_in_the_order_that_its_metadata_list(
    tmp_path: Path, plugin: StoragePlugin
) -> None:
    shots = drive(2, 24)
    path = write_split_bag(tmp_path / "drive", shots, 12, plugin)
    got = replay(path)
    assert_frames_are(got.frames, shots)
    assert (got.told, got.error) == ([], "")
    (path / "metadata.yaml").unlink()
    files = [Path(source) for source in find_sources([str(path)])]
    assert [file.stem for file in files] == [f"drive_{i}" for i in range(12)]
    assert_frames_are([frame for file in files for frame in replay(file).frames], shots)


def test_bag_whose_files_are_missing_or_cut_off_gives_the_others_and_says_so(tmp_path: Path) -> None:
    shots = drive(3, 8)
    path = write_split_bag(tmp_path / "drive", shots, 4, StoragePlugin.MCAP)
    (path / "drive_1.mcap").unlink()
    (path / "drive_2.mcap").write_bytes(b"")
    (path / "later.mcap").write_bytes((path / "drive_0.mcap").read_bytes())
    got = replay(path)
    assert_frames_are(got.frames, [*shots[:2], *shots[6:]])
    assert got.told == [
        f"{path}: drive_1.mcap of its metadata is missing; the rest is read",
        f"{path}: later.mcap is left out, its metadata do not list it; `ros2 bag reindex {path}` does",
    ]
    assert "drive_2.mcap" in got.error
    assert "an empty file" in got.error


@pytest.mark.parametrize("contents", ["", "rosbag2_bagfile_information:\n  version: 9\n", "a: [1", "- 1", "\0"])
def test_bag_with_damaged_metadata_names_what_to_do(tmp_path: Path, contents: str) -> None:
    path = write_bag(tmp_path / "drive", drive(4, 2))
    (path / "metadata.yaml").write_text(contents)
    got = replay(path)
    assert got.frames == []
    assert f"`ros2 bag reindex {path}`" in got.error


def test_bag_without_any_file_is_refused(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "drive", drive(5, 2))
    next(path.glob("*.mcap")).unlink()
    got = replay(path)
    assert got.frames == []
    assert "found none" in got.error


def test_folder_of_bags_lists_each_in_natural_order(tmp_path: Path) -> None:
    drives = tmp_path / "drives"
    drives.mkdir()
    for i in (10, 2, 1):
        write_bag(drives / f"drive_{i}", drive(i, 2))
    (drives / "notes.txt").write_text("rain")
    (drives / "._drive_1.mcap").write_bytes(b"\0\5\x16\7")
    assert [Path(source).name for source in find_sources([str(drives)])] == ["drive_1", "drive_2", "drive_10"]
