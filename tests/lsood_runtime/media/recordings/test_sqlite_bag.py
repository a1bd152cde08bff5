# SPDX-License-Identifier: Apache-2.0
"""SQLite files of ROS 2 bags, whole, cut at any byte, damaged, and with the journal of a recorder that crashed."""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from tests.lsood_runtime.media.recordings.drives import (
    IMAGE,
    Replay,
    Shot,
    assert_frames_are,
    by_time,
    drive,
    replay,
    ros_image,
)

_FIRST_PAGES = 12 * 4096


def write_database(
    path: Path, shots: Sequence[Shot], journal: str = "DELETE", words: bytes = b""
) -> sqlite3.Connection:
    """A database with the tables of a ROS 2 bag, left open; each message is a transaction, and may be followed by words."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"PRAGMA journal_mode = {journal}")
    database.execute("PRAGMA synchronous = OFF")  # the disk need not follow
    database.executescript(Sqlite3Writer.SQLITE_SCHEMA)
    database.execute("INSERT INTO topics VALUES (100, '/words', 'std_msgs/msg/String', 'cdr', '', '')")
    topics = {camera: i for i, camera in enumerate(sorted({shot.camera for shot in shots}), start=1)}
    for camera, number in topics.items():
        database.execute("INSERT INTO topics VALUES (?, ?, ?, 'cdr', '', '')", (number, camera, IMAGE))
    for shot in shots:
        row = (topics[shot.camera], shot.recorded_ns, ros_image(shot))
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", row)
        if words:
            database.execute("INSERT INTO messages VALUES (NULL, 100, ?, ?)", (shot.recorded_ns, words))
    return database


def large_drive(seed: int, count: int) -> list[Shot]:
    """Shots of more than a page each."""
    rng = np.random.default_rng(seed)
    return [
        Shot(shot.camera, shot.stamp_ns, shot.recorded_ns, rng.integers(0, 256, (50, 60, 3), np.uint8))
        for shot in drive(seed, count, cameras=3, shuffled=True)
    ]


def assert_frames_are_among(got: Replay, shots: Sequence[Shot]) -> None:
    """Every frame without a fault is exactly a shot, and all are in the order of recording."""
    by_stamp = {shot.stamp_ns: shot for shot in shots} | {shot.recorded_ns: shot for shot in shots}
    found = [by_stamp[frame.stamp_ns] for frame in got.frames]
    assert found == by_time(found)
    intact = [(frame, shot) for frame, shot in zip(got.frames, found, strict=True) if not frame.fault]
    assert_frames_are([frame for frame, _ in intact], [shot for _, shot in intact])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_sqlite_bag_without_metadata_gives_what_was_written_by_time(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    shots = drive(seed, 12, cameras=3, shuffled=True)
    path = tmp_path_factory.mktemp("bag") / "drive_0.db3"
    write_database(path, shots).close()
    got = replay(path)
    assert_frames_are(got.frames, by_time(shots))
    assert (got.told, got.error) == ([], "")


class Written:
    """Shots and the file of them; not a dataclass, for Hypothesis prints all of one."""

    def __init__(self, shots: list[Shot], contents: bytes) -> None:
        self.shots, self.contents = shots, contents


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Thirty images of three pages each with small messages between them, and the database that holds them."""
    shots = large_drive(1, 30)
    path = tmp_path_factory.mktemp("bag") / "drive.db3"
    write_database(path, shots, words=b"steady").close()
    return Written(shots, path.read_bytes())


def replay_bytes(folder: Path, contents: bytes) -> Replay:
    path = folder / "drive.db3"
    path.write_bytes(contents)
    return replay(path)


@settings(max_examples=150, deadline=None)
@given(where=st.floats(0, 1))
def test_sqlite_bag_cut_anywhere_gives_whole_messages_alone(
    bag: Written, tmp_path_factory: pytest.TempPathFactory, where: float
) -> None:
    shots, contents = bag.shots, bag.contents
    cut = round(where * (len(contents) - 1))
    got = replay_bytes(tmp_path_factory.getbasetemp(), contents[:cut])
    assert_frames_are_among(got, shots)
    # Rows lie in the order of recording behind the tables' first pages; one or two reach behind the cut.
    expected = (cut - _FIRST_PAGES) / (len(contents) - _FIRST_PAGES) * len(shots) - 3
    assert sum(not frame.fault for frame in got.frames) >= expected
    assert f"drive.db3 to its end: it is cut off at byte {cut} of" in got.error or got.frames == []
    assert "drive.db3" in got.error


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), where=st.floats(0, 1), length=st.integers(1, 9000))
def test_sqlite_bag_with_a_damaged_page_gives_the_rows_that_are_left(
    bag: Written, tmp_path_factory: pytest.TempPathFactory, seed: int, where: float, length: int
) -> None:
    """The roots of the tables are left alone. SQLite has no checksums: damage within an image's bytes shows nowhere."""
    shots, contents = bag.shots, bag.contents
    place = _FIRST_PAGES + round(where * (len(contents) - _FIRST_PAGES - length))
    damage = np.random.default_rng(seed).bytes(length)
    got = replay_bytes(tmp_path_factory.getbasetemp(), contents[:place] + damage + contents[place + length :])
    assert len(got.frames) >= len(shots) - 12
    assert got.error or len(got.frames) == len(shots)


def test_sqlite_bag_with_a_write_ahead_log_gives_the_messages_in_it(tmp_path: Path) -> None:
    """The recorder crashed before it moved the log into the file."""
    shots = drive(5, 12)
    recorder = write_database(tmp_path / "recording.db3", shots, "WAL")
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"recording.db3{suffix}", tmp_path / f"drive.db3{suffix}")
    recorder.close()
    got = replay(tmp_path / "drive.db3")
    assert_frames_are(got.frames, by_time(shots))
    assert got.error == ""


def test_sqlite_bag_with_an_open_transaction_gives_the_messages_before_it_and_names_the_command(tmp_path: Path) -> None:
    shots = large_drive(6, 30)
    recorder = write_database(tmp_path / "recording.db3", shots[:20])
    recorder.execute("PRAGMA cache_size = 2")
    recorder.execute("BEGIN")
    for shot in shots[20:]:
        recorder.execute("INSERT INTO messages VALUES (NULL, 1, ?, ?)", (shot.recorded_ns, ros_image(shot)))
    for suffix in ("", "-journal"):
        shutil.copy(tmp_path / f"recording.db3{suffix}", tmp_path / f"drive.db3{suffix}")
    recorder.close()
    got = replay(tmp_path / "drive.db3")
    assert_frames_are_among(got, shots)
    assert "was not closed" in got.error
    assert "'PRAGMA quick_check'" in got.error


def test_sqlite_file_without_the_tables_of_a_bag_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "other.db3")
    database.execute("CREATE TABLE other (number INTEGER)")
    database.close()
    got = replay(tmp_path / "other.db3")
    assert got.frames == []
    assert "cannot read" in got.error


@pytest.mark.parametrize("stamps", [(-5, 10), (0, 10)])
def test_sqlite_bag_with_negative_times_of_recording_gives_its_messages(
    tmp_path: Path, stamps: tuple[int, int]
) -> None:
    shots = [Shot("/camera", 7, stamp, drive(1, 1)[0].pixels) for stamp in stamps]
    write_database(tmp_path / "drive.db3", shots).close()
    got = replay(tmp_path / "drive.db3")
    assert_frames_are(got.frames, shots)
