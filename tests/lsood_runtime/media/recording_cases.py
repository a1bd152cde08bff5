# SPDX-License-Identifier: Apache-2.0
"""Cases of recordings: containers and their compressions, message types, other channels, crashes and damage."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo
from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
from mcap.writer import CompressionType, IndexType
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from tests.lsood_runtime.media.input_cases import InputCase, InputOutcome, MadeInput, Make, are_invalid, are_read
from tests.lsood_runtime.media.recordings.drives import Shot, by_time, drive, mcap_bytes, ros_image
from tests.lsood_runtime.media.recordings.test_bag_folder import write_bag, write_split_bag
from tests.lsood_runtime.media.recordings.test_foxglove_messages import fields_of, write_protobuf
from tests.lsood_runtime.media.recordings.test_ros1_bag import write_bag as write_ros1_bag
from tests.lsood_runtime.media.recordings.test_sqlite_bag import write_database
from tests.lsood_runtime.media.recordings.test_topics import OTHERS, depth_channel, together
from tests.lsood_runtime.media.recordings.videos import moving_scenes, packets_of

Write = Callable[[Path, list[Shot]], Path]
"""Writes shots to a folder as one recording."""

_SECTION = "Recordings"


def shown(shots: Sequence[Shot]) -> tuple[Any, ...]:
    return tuple(shot.pixels.astype(float) for shot in by_time(shots))


def recordings(write: Write, kept: Callable[[list[Shot]], Sequence[Shot | None]] = lambda shots: shots) -> Make:
    """A recording of eight frames of two cameras; ``kept`` are those that come back, None where one is a fault."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        shots = drive(int(rng.integers(1000)), 8)
        pictures = tuple(None if shot is None else shot.pixels.astype(float) for shot in kept(shots))
        return MadeInput(write(folder, shots), pictures)

    return make


def mcap(**build: Any) -> Write:
    def write(folder: Path, shots: list[Shot]) -> Path:
        path = folder / "drive.mcap"
        path.write_bytes(mcap_bytes(shots, **build)[0])
        return path

    return write


def ros1_bag(compression: Writer1.CompressionFormat | None) -> Write:
    return lambda folder, shots: write_ros1_bag(folder, shots, compression)


def bag(plugin: StoragePlugin, compression: CompressionMode = CompressionMode.NONE, *, metadata: bool = True) -> Write:
    def write(folder: Path, shots: list[Shot]) -> Path:
        path = write_bag(folder / "drive", shots, plugin, compression)
        if not metadata:
            (path / "metadata.yaml").unlink()
        return path

    return write


def split_bag(folder: Path, shots: list[Shot]) -> Path:
    return write_split_bag(folder / "drive", shots, 4, StoragePlugin.MCAP)


def folder_of_bags(folder: Path, shots: list[Shot]) -> Path:
    for i in range(4):
        write_bag(folder / "drives" / f"drive_{8 + i}", shots[2 * i : 2 * i + 2])
    return folder / "drives"


def with_depth(folder: Path, shots: list[Shot]) -> Path:
    return mcap(beside=depth_channel("16UC1"))(folder, shots)


def without_stamps(folder: Path, shots: list[Shot]) -> Path:
    return mcap()(folder, [replace(shot, stamp_ns=0) for shot in shots])


def foxglove(kind: Any) -> Write:
    def write(folder: Path, shots: list[Shot]) -> Path:
        return write_protobuf(folder / "drive.mcap", [(shot, kind(**fields_of(shot, kind.__name__))) for shot in shots])

    return write


def video(name: str, first: int = 0) -> Make:
    """Ten frames of video with a key frame at every fifth, beginning with the one of this number."""

    def make(folder: Path, rng: np.random.Generator) -> MadeInput:
        scenes = moving_scenes(10)
        shots = drive(int(rng.integers(1000)), 10 - first, cameras=1)
        packets = packets_of(scenes, name)[first:]
        messages = [(shot, CompressedVideo(format=name, data=data)) for shot, data in zip(shots, packets, strict=True)]
        path = write_protobuf(folder / "drive.mcap", messages)
        key = first % 5 == 0
        # Edges of the square lie within pixels that share their chroma: what is compared is the scene beside them.
        pictures = [_without_edges(scene) if key or i >= 5 else None for i, scene in enumerate(scenes)]
        return MadeInput(path, tuple(pictures[first:]), tolerance=40)

    return make


def _without_edges(scene: Any) -> Any:
    picture = scene.astype(float)
    steps = np.abs(np.diff(picture, axis=0, prepend=picture[:1])) + np.abs(
        np.diff(picture, axis=1, prepend=picture[:, :1])
    )
    rows, columns = np.nonzero(steps.max(axis=-1) > 20)
    for row, column in zip(rows, columns, strict=True):
        picture[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = np.nan
    return picture


def crashed_mcap(folder: Path, shots: list[Shot]) -> Path:
    """Cut within the sixth message."""
    contents, _ = mcap_bytes(shots, chunk_size=400)
    path = folder / "drive.mcap"
    path.write_bytes(contents[: contents.index(ros_image(shots[5])) + 30])
    return path


def shortened_mcap(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "drive.mcap"
    path.write_bytes(mcap_bytes(shots)[0][:-3])
    return path


def crashed_ros1_bag(folder: Path, shots: list[Shot]) -> Path:
    contents = write_ros1_bag(folder, shots).read_bytes()
    path = folder / "drive.bag.active"
    path.write_bytes(contents[: contents.index(ros_image(shots[5], ros1=True)) + 30])
    (folder / "drive.bag").unlink()
    return path


def crashed_sqlite_bag(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "drive.db3"
    write_database(path, shots).close()
    contents = path.read_bytes()
    path.write_bytes(contents[:-4096])
    return path


def open_journal(folder: Path, shots: list[Shot]) -> Path:
    recorder = write_database(folder / "recording.db3", shots, "WAL")
    for suffix in ("", "-wal"):
        shutil.copy(folder / f"recording.db3{suffix}", folder / f"drive.db3{suffix}")
    recorder.close()
    (folder / "recording.db3").unlink()
    return folder / "drive.db3"


def damaged_chunk(folder: Path, shots: list[Shot]) -> Path:
    """A byte of the third message is another."""
    contents = bytearray(mcap_bytes(shots, chunk_size=1)[0])
    contents[contents.index(ros_image(shots[2])) + 100] ^= 1
    path = folder / "drive.mcap"
    path.write_bytes(bytes(contents))
    return path


def empty_message(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "drive.db3"
    database = write_database(path, shots)
    database.execute("UPDATE messages SET data = x'' WHERE id = 3")
    database.close()
    return path


def third_lost(shots: list[Shot]) -> Sequence[Shot | None]:
    return [*shots[:2], None, *shots[3:]]


def _ended(given: str, make: Make, text: str) -> InputCase:
    return InputCase(_SECTION, given, make, InputOutcome.ENDED, text)


_read, _invalid = are_read(_SECTION), are_invalid(_SECTION)

CASES = (
    *(
        _read(f"MCAP, {words}", recordings(mcap(**build)), "by time of recording")
        for words, build in (
            ("chunks not compressed", {}),
            ("chunks in LZ4", {"compression": CompressionType.LZ4}),
            ("chunks in Zstandard", {"compression": CompressionType.ZSTD}),
            ("without chunks", {"chunked": False}),
            ("without an index", {"index": IndexType.NONE, "summary": False}),
            ("of ROS 1 messages", {"ros1": True}),
            ("with types as `sensor_msgs/Image`", {"schema": "sensor_msgs/Image"}),
        )
    ),
    _read(
        "MCAP with JSON, Protobuf, CBOR, service events, actions, definitions that do not parse beside the images",
        recordings(mcap(beside=together(*OTHERS.values()))),
        "the images are read",
    ),
    *(
        _read(f"ROS 1 bag{words}", recordings(ros1_bag(compression)), "by time of recording")
        for words, compression in (
            ("", None),
            (", chunks in BZ2", Writer1.CompressionFormat.BZ2),
            (", chunks in LZ4", Writer1.CompressionFormat.LZ4),
        )
    ),
    *(
        _read(f"ROS 2 bag, {words}", recordings(bag(plugin, mode)), "by time of recording")
        for words, plugin, mode in (
            ("SQLite", StoragePlugin.SQLITE3, CompressionMode.NONE),
            ("SQLite, files in Zstandard", StoragePlugin.SQLITE3, CompressionMode.FILE),
            ("SQLite, messages in Zstandard", StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
            ("MCAP", StoragePlugin.MCAP, CompressionMode.NONE),
            ("MCAP, files in Zstandard", StoragePlugin.MCAP, CompressionMode.FILE),
            ("MCAP, messages in Zstandard", StoragePlugin.MCAP, CompressionMode.MESSAGE),
        )
    ),
    _read("ROS 2 bag of several files", recordings(split_bag), "in the order that its metadata list"),
    _read(
        "ROS 2 bag without `metadata.yaml`",
        recordings(bag(StoragePlugin.SQLITE3, metadata=False)),
        "its files, in natural order",
    ),
    _read("a folder of bags", recordings(folder_of_bags), "one after the other, in natural order"),
    _read("`foxglove.CompressedImage`", recordings(foxglove(CompressedImage)), "in Protobuf, and in ROS messages"),
    _read("`foxglove.RawImage`", recordings(foxglove(RawImage)), "in Protobuf, and in ROS messages"),
    *(
        _read(f"`foxglove.CompressedVideo`, `{name}`", video(name), "a frame a message")
        for name in ("h264", "h265", "vp9", "av1")
    ),
    _invalid("video that begins between key frames, up to the next", video("h264", 3), "key frame"),
    _read("a topic of depth (`16UC1`, `32FC1`, `compressedDepth`)", recordings(with_depth), "left out with a note"),
    _read(
        "headers without a stamp, with a negative one, or a whole second of nanoseconds",
        recordings(without_stamps),
        "stamped by the time of recording, with a note",
    ),
    _invalid(
        "an empty message", recordings(empty_message, third_lost), "expected a sensor_msgs/Image message, got 0 bytes"
    ),
    _invalid("a damaged chunk, in MCAP and ROS 1", recordings(damaged_chunk, third_lost), "the chunk at byte"),
    _read(
        "SQLite with the write-ahead log of a recorder that crashed",
        recordings(open_journal),
        "with what is in the log",
    ),
    _ended(
        "MCAP that is cut off", recordings(crashed_mcap, lambda shots: shots[:5]), "`mcap recover` writes a whole one"
    ),
    _ended(
        "MCAP that lacks its last bytes alone",
        recordings(shortened_mcap),
        "lacks its end, the closing magic of MCAP: all its messages are read",
    ),
    _ended(
        "ROS 1 bag that is cut off, `.bag.active`",
        recordings(crashed_ros1_bag, lambda shots: shots[:5]),
        "`rosbag reindex` mends it",
    ),
    _ended(
        "SQLite that is cut off or has damaged pages",
        recordings(crashed_sqlite_bag),
        ".recover | sqlite3 mended.db3` writes what is left into a new file",
    ),
)
