# SPDX-License-Identifier: Apache-2.0
"""Recorded drives of every kind: frames and stamps come back, and a fault in one message stays with it."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
from rosbags.rosbag1 import Writer as Writer1

from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.media.recordings.drives import (
    COMPRESSED,
    START_NS,
    Shot,
    assert_frames_are,
    drive,
    mcap_bytes,
    replay,
    ros_image,
)
from tests.lsood_runtime.media.recordings.test_ros1_bag import write_bag
from tests.lsood_runtime.media.recordings.test_sqlite_bag import write_database
from tests.lsood_runtime.recordings import IMAGE, KINDS, Record, write_recording

Write = Callable[[Path, list[Shot]], Path]


def write_mcap(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "drive.mcap"
    path.write_bytes(mcap_bytes(shots, compression=CompressionType.LZ4, chunk_size=500)[0])
    return path


def write_loose_mcap(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "loose.mcap"
    path.write_bytes(mcap_bytes(shots, chunked=False)[0])
    return path


def write_sqlite(folder: Path, shots: list[Shot]) -> Path:
    path = folder / "drive.db3"
    path.unlink(missing_ok=True)
    write_database(path, shots).close()
    return path


def write_ros1(folder: Path, shots: list[Shot]) -> Path:
    (folder / "drive.bag").unlink(missing_ok=True)
    return write_bag(folder, shots, Writer1.CompressionFormat.LZ4)


WRITES = {"mcap": write_mcap, "mcap without chunks": write_loose_mcap, "sqlite": write_sqlite, "ros 1": write_ros1}


@pytest.mark.parametrize("message_type", [IMAGE, COMPRESSED])
@pytest.mark.parametrize("kind", KINDS)
def test_recording_of_every_kind_gives_frames_and_stamps(tmp_path: Path, kind: str, message_type: str) -> None:
    frames = random_frames(4, seed=1)
    front: list[Record] = [
        ("/front/image_raw", START_NS + i * 10**8 + 7, START_NS + i * 10**8 + 999, frame)
        for i, frame in enumerate(frames[:3])
    ]
    rear: list[Record] = [("/rear/image_raw", 0, START_NS + 5, frames[3])]
    records = sorted(front + rear, key=lambda record: record[2])
    path = write_recording(tmp_path, kind, records, message_type)
    expected = [
        Shot(topic, stamp_ns or recorded_ns, recorded_ns, frame) for topic, stamp_ns, recorded_ns, frame in records
    ]
    assert_frames_are(replay(path).frames, expected)
    turned = [replace(shot, pixels=shot.pixels[..., ::-1]) for shot in expected]
    assert_frames_are(replay(path, channels="bgr").frames, turned)
    assert_frames_are(replay(path, ["/rear/image_raw"]).frames, [shot for shot in expected if "rear" in shot.camera])


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@settings(max_examples=25, deadline=None)
@given(stamps=st.lists(st.sampled_from([0, 1, 10**9, START_NS, 2**31 * 10**9 - 1]), min_size=1, max_size=6))
def test_recording_stamps_are_the_headers_or_where_unset_the_time_of_recording(
    tmp_path_factory: pytest.TempPathFactory, write: Write, stamps: list[int]
) -> None:
    shots = [
        Shot(f"/camera{i % 2}", stamp_ns, START_NS + i, shot.pixels)
        for i, (stamp_ns, shot) in enumerate(zip(stamps, drive(1, len(stamps)), strict=True))
    ]
    path = write(tmp_path_factory.mktemp("drive"), shots)
    got = replay(path)
    assert_frames_are(got.frames, [replace(shot, stamp_ns=shot.stamp_ns or shot.recorded_ns) for shot in shots])
    unset = dict.fromkeys(shot.camera for shot in shots if shot.stamp_ns == 0)
    sentence = "of {} has headers without a stamp: the time of recording is taken"
    assert got.told == [f"{camera} {sentence.format(path)}" for camera in unset]


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"), [(-5, 0), (-1, 999_999_999), (-(2**31), 5), (1_700_000_000, 10**9), (3, 2**32 - 1)]
)
def test_recording_header_with_a_stamp_that_is_no_time_gets_the_time_of_recording(
    tmp_path: Path, seconds: int, nanoseconds: int
) -> None:
    (shot,) = drive(1, 1)
    good = ros_image(replace(shot, stamp_ns=0))
    bad = good[:4] + seconds.to_bytes(4, "little", signed=True) + nanoseconds.to_bytes(4, "little") + good[12:]
    path = tmp_path / "drive.mcap"
    loose, _ = mcap_bytes([replace(shot, stamp_ns=0)], chunked=False, checksums=False)
    assert good in loose
    path.write_bytes(loose.replace(good, bad))
    got = replay(path)
    assert_frames_are(got.frames, [replace(shot, stamp_ns=shot.recorded_ns)])
    assert len(got.told) == 1


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 11, 20, 60])
def test_recording_message_that_is_empty_or_cut_off_is_a_fault_and_the_others_are_read(
    tmp_path: Path, size: int
) -> None:
    shots = drive(2, 5)
    path = write_sqlite(tmp_path, shots)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET data = substr(data, 1, ?) WHERE id = 3", (size,))
    database.close()
    got = replay(path)
    assert [bool(frame.fault) for frame in got.frames] == [False, False, True, False, False]
    fault = got.frames[2].fault
    assert fault.startswith(
        f"cannot read {path}#000002 on {shots[2].camera}: expected a sensor_msgs/Image message, got {size}"
    )
    assert "\n" not in fault
    assert got.frames[2].stamp_ns == shots[2].recorded_ns
    assert_frames_are([frame for frame in got.frames if not frame.fault], [*shots[:2], *shots[3:]])
    assert got.error == ""


@settings(max_examples=150, deadline=None)
@given(which=st.sampled_from(sorted(WRITES)), data=st.data())
def test_recording_with_random_bytes_anywhere_gives_frames_faults_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, which: str, data: st.DataObject
) -> None:
    """Whatever a damaged file holds, reading ends with what this package raises, and every message has words."""
    folder = tmp_path_factory.getbasetemp()
    shots = drive(3, 8, cameras=3)
    path = WRITES[which](folder, shots)
    contents = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(contents) - 1))
        length = data.draw(st.integers(1, 64))
        contents[place : place + length] = data.draw(st.binary(min_size=length, max_size=length))
    path.write_bytes(contents)
    got = replay(path)
    assert all((frame.image is None) == bool(frame.fault) for frame in got.frames)
    sentences = [*(frame.fault for frame in got.frames if frame.fault), *got.told, *filter(None, [got.error])]
    assert all(str(path) in sentence for sentence in sentences)
    assert not any(sentence.rstrip().endswith((":", "Error")) or "AssertionError" in sentence for sentence in sentences)
    assert len({frame.name for frame in got.frames}) == len(got.frames)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_recording_frames_are_arrays_that_stay_as_they_are(tmp_path: Path, write: Write) -> None:
    """No frame is overwritten by the next."""
    shots = drive(4, 6)
    frames = replay(write(tmp_path, shots)).frames
    copies = [np.array(frame.image) for frame in frames]
    for copy, shot in zip(copies, shots, strict=True):
        np.testing.assert_array_equal(copy, shot.pixels)


@pytest.mark.parametrize("name", ["drive.mcap", "drive.bag", "drive.db3"])
@pytest.mark.parametrize("contents", [b"", b"\0" * 100, b"not a recording"])
def test_recording_that_is_none_is_refused(tmp_path: Path, name: str, contents: bytes) -> None:
    (tmp_path / name).write_bytes(contents)
    got = replay(tmp_path / name)
    assert got.frames == []
    assert got.error.startswith(
        f"cannot read {tmp_path / name}: expected an MCAP file, a ROS 1 bag or a ROS 2 bag, got"
    )
