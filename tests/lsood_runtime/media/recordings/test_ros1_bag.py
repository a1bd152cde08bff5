# SPDX-License-Identifier: Apache-2.0
"""ROS 1 bags, whole, not closed, cut at any byte, and damaged."""

import bz2
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rosbags.rosbag1 import Reader, Writer

from tests.lsood_runtime.media.recordings.drives import (
    IMAGE,
    ROS1,
    Shot,
    assert_frames_are,
    by_time,
    drive,
    replay,
    ros_image,
)

COMPRESSIONS = st.sampled_from([None, Writer.CompressionFormat.BZ2, Writer.CompressionFormat.LZ4])
_HEADER = 13  # place of the bag's header, after the magic


def write_bag(
    folder: Path, shots: Sequence[Shot], compression: Writer.CompressionFormat | None = None, chunk_size: int = 600
) -> Path:
    path = folder / "drive.bag"
    writer = Writer(path)
    if compression is not None:
        writer.set_compression(compression)
    writer.chunk_threshold = chunk_size
    with writer:
        connections = {}
        words = writer.add_connection("/words", "std_msgs/msg/String", typestore=ROS1)
        for shot in shots:
            if shot.camera not in connections:
                connections[shot.camera] = writer.add_connection(shot.camera, IMAGE, typestore=ROS1)
            writer.write(connections[shot.camera], shot.recorded_ns, ros_image(shot, ros1=True))
            said = ROS1.types["std_msgs/msg/String"](data="steady")
            writer.write(words, shot.recorded_ns, ROS1.serialize_ros1(said, "std_msgs/msg/String"))
    return path


def chunks_of(path: Path) -> list[tuple[int, int, set[int]]]:
    """Where each chunk's data begin and end in an intact bag, and the times of its images."""
    with Reader(path) as reader:
        images = [connection.id for connection in reader.connections if connection.msgtype == IMAGE]
        times = {
            place: {each.time for number in images for each in reader.indexes[number] if each.chunk_pos == place}
            for place in reader.chunks
        }
        return [(chunk.datapos, chunk.datapos + chunk.datasize, times[place]) for place, chunk in reader.chunks.items()]


def decompresses(data: bytes) -> bool:
    try:
        bz2.decompress(data)
    except (OSError, ValueError):
        return False
    return True


def without_index(bag: bytes) -> bytes:
    """The bag with the header of one that was not closed."""
    place = bag.index(b"index_pos=", _HEADER) + len(b"index_pos=")
    return bag[:place] + struct.pack("<Q", 0) + bag[place + 8 :]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), compression=COMPRESSIONS, chunk_size=st.integers(1, 2000))
def test_ros1_bag_whole_gives_what_was_written_by_time(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    compression: Writer.CompressionFormat | None,
    chunk_size: int,
) -> None:
    shots = drive(seed, 9, cameras=3, shuffled=True)
    got = replay(write_bag(tmp_path_factory.mktemp("bag"), shots, compression, chunk_size))
    assert_frames_are(got.frames, by_time(shots))
    assert (got.told, got.error) == ([], "")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    compression=COMPRESSIONS,
    where=st.floats(0, 1),
    chunk_size=st.integers(1, 2000),
    closed=st.booleans(),
)
def test_ros1_bag_cut_anywhere_gives_every_whole_chunk_and_message(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    compression: Writer.CompressionFormat | None,
    where: float,
    chunk_size: int,
    closed: bool,
) -> None:
    shots = drive(seed, 9, cameras=3, shuffled=True)
    path = write_bag(tmp_path_factory.mktemp("bag"), shots, compression, chunk_size)
    bag, chunks = path.read_bytes(), chunks_of(path)
    cut = round(where * (len(bag) - 1))
    active = path.with_suffix(".bag.active")
    active.write_bytes((bag if closed else without_index(bag))[:cut])
    whole_chunks = {time for _, end, times in chunks for time in times if end <= cut}
    # Where chunks are not compressed, the bytes of each message can be found.
    whole_messages = {shot.recorded_ns for shot in shots if ros_image(shot, ros1=True) in bag[:cut]}
    assert whole_chunks <= whole_messages or compression is not None
    kept = [shot for shot in shots if shot.recorded_ns in whole_chunks | whole_messages]
    got = replay(active)
    assert_frames_are(got.frames, by_time(kept))
    assert "drive.bag.active" in got.error
    assert cut < _HEADER or "`rosbag reindex`" in got.error


def test_ros1_bag_not_closed_within_a_chunk_gives_its_messages(tmp_path: Path) -> None:
    """The recorder writes the length of an uncompressed chunk when it is full: until then it states 0."""
    shots = drive(3, 9)
    path = write_bag(tmp_path, shots, chunk_size=10**6)
    bag = bytearray(without_index(path.read_bytes()))
    ((start, end, _),) = chunks_of(path)
    bag[start - 4 : start] = bytes(4)
    active = tmp_path / "drive.bag.active"
    active.write_bytes(bytes(bag[:end]))
    got = replay(active)
    assert_frames_are(got.frames, by_time(shots))
    assert "`rosbag reindex`" in got.error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), which=st.integers(0, 20), data=st.data())
def test_ros1_bag_with_a_damaged_chunk_names_its_frames_and_reads_the_others(
    tmp_path_factory: pytest.TempPathFactory, seed: int, which: int, data: st.DataObject
) -> None:
    shots = drive(seed, 9, cameras=3)
    path = write_bag(tmp_path_factory.mktemp("bag"), shots, Writer.CompressionFormat.BZ2)
    chunks = chunks_of(path)
    start, end, times = chunks[which % len(chunks)]
    damaged = bytearray(path.read_bytes())
    damaged[data.draw(st.integers(start, end - 1))] ^= data.draw(st.integers(1, 255))
    assume(not decompresses(bytes(damaged[start:end])))  # some bits of the format mean nothing
    path.write_bytes(damaged)
    got = replay(path)
    assert [bool(frame.fault) for frame in got.frames] == [shot.recorded_ns in times for shot in shots]
    assert [frame.stamp_ns for frame in got.frames if frame.fault] == sorted(times)
    assert_frames_are(
        [frame for frame in got.frames if not frame.fault], [shot for shot in shots if shot.recorded_ns not in times]
    )
    assert all("the chunk at byte" in frame.fault for frame in got.frames if frame.fault)
