# SPDX-License-Identifier: Apache-2.0
"""MCAP files of every build, whole, cut at any byte, and damaged: what was written comes back, and nothing else."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.records import Chunk, DataEnd, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import CompressionType, IndexType

from tests.lsood_runtime.media.recordings.drives import (
    Replay,
    assert_frames_are,
    by_time,
    drive,
    mcap_bytes,
    replay,
    ros_image,
)

COMPRESSIONS = st.sampled_from([CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD])
_CHECKSUM = 4  # of the data, in the last record before the summary
_MAGIC = 8  # at either end of a file
INDEXES = st.sampled_from([IndexType.ALL, IndexType.NONE, IndexType.CHUNK, IndexType.MESSAGE])


def replay_bytes(folder: Path, contents: bytes, topics: tuple[str, ...] = ()) -> Replay:
    path = folder / "drive.mcap"
    path.write_bytes(contents)
    return replay(path, topics)


def chunks_of(contents: bytes) -> tuple[dict[int, list[int]], int]:
    """Where each chunk of an intact file ends with the numbers of its messages, and where the data end."""
    file = io.BytesIO(contents)
    ends = {}
    for record in StreamReader(file, emit_chunks=True).records:
        if isinstance(record, Chunk):
            messages = [each for each in breakup_chunk(record) if isinstance(each, Message)]
            ends[file.tell()] = [message.sequence for message in messages]
        if isinstance(record, DataEnd):
            return ends, file.tell()
    raise AssertionError("an intact file has an end of data")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 12),
    compression=COMPRESSIONS,
    chunked=st.booleans(),
    index=INDEXES,
    summary=st.booleans(),
    chunk_size=st.integers(1, 2000),
)
def test_mcap_file_of_any_build_gives_what_was_written_by_time(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    compression: CompressionType,
    chunked: bool,
    index: IndexType,
    summary: bool,
    chunk_size: int,
) -> None:
    shots = drive(seed, count, cameras=3, shuffled=True)
    contents, _ = mcap_bytes(
        shots, compression=compression, chunked=chunked, index=index, summary=summary, chunk_size=chunk_size
    )
    got = replay_bytes(tmp_path_factory.mktemp("mcap"), contents)
    assert_frames_are(got.frames, by_time(shots))
    assert (got.told, got.error) == ([], "")


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 1000), compression=COMPRESSIONS, where=st.floats(0, 1), chunk_size=st.integers(1, 2000))
def test_mcap_file_cut_anywhere_gives_every_whole_chunk_and_message(
    tmp_path_factory: pytest.TempPathFactory, seed: int, compression: CompressionType, where: float, chunk_size: int
) -> None:
    shots = drive(seed, 12, cameras=3, shuffled=True)
    contents, _ = mcap_bytes(shots, compression=compression, chunk_size=chunk_size)
    cut = round(where * len(contents))
    chunks, data_end = chunks_of(contents)
    whole_chunks = {i for end, numbers in chunks.items() if end <= cut for i in numbers}
    # Where chunks are not compressed, the bytes of each message can be found.
    whole_messages = {i for i, shot in enumerate(shots) if ros_image(shot) in contents[:cut]}
    assert whole_chunks <= whole_messages or compression is not CompressionType.NONE
    kept = [shots[i] for i in sorted(whole_chunks | whole_messages)]
    got = replay_bytes(tmp_path_factory.mktemp("mcap"), contents[:cut])
    assert_frames_are(got.frames, by_time(kept))
    whole = cut == len(contents)
    assert got.error == "" if whole else "drive.mcap" in got.error
    assert whole or cut < 9 or "`mcap recover`" in got.error
    assert ("all its messages are read" in got.error) == (data_end - _CHECKSUM <= cut < len(contents))


@pytest.mark.parametrize("lacking", [1, 7, 8, 9, 30])
@pytest.mark.parametrize("build", [{}, {"chunked": False}, {"summary": False, "index": IndexType.NONE}])
def test_mcap_file_that_lacks_its_last_bytes_gives_all_messages_and_says_so(
    tmp_path: Path, lacking: int, build: dict[str, Any]
) -> None:
    shots = drive(1, 6)
    contents, _ = mcap_bytes(shots, **build)
    got = replay_bytes(tmp_path, contents[:-lacking])
    assert_frames_are(got.frames, by_time(shots))
    assert "drive.mcap lacks its end, the closing magic of MCAP: all its messages are read" in got.error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), where=st.floats(0, 1))
def test_mcap_file_without_chunks_cut_anywhere_gives_every_whole_message(
    tmp_path_factory: pytest.TempPathFactory, seed: int, where: float
) -> None:
    shots = drive(seed, 12, cameras=3, shuffled=True)
    contents, ends = mcap_bytes(shots, chunked=False)
    cut = round(where * ends[-1])
    got = replay_bytes(tmp_path_factory.mktemp("mcap"), contents[:cut])
    assert_frames_are(got.frames, by_time([shot for shot, end in zip(shots, ends, strict=True) if end <= cut]))
    assert "drive.mcap" in got.error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), compression=COMPRESSIONS, data=st.data())
def test_mcap_file_with_a_damaged_chunk_names_its_frames_and_reads_the_others(
    tmp_path_factory: pytest.TempPathFactory, seed: int, compression: CompressionType, data: st.DataObject
) -> None:
    shots = drive(seed, 12, cameras=3)
    contents, _ = mcap_bytes(shots, compression=compression)
    chunks, _ = chunks_of(contents)
    end, numbers = data.draw(st.sampled_from(list(chunks.items())))
    damaged = bytearray(contents)
    damaged[end - data.draw(st.integers(1, 150))] ^= data.draw(st.integers(1, 255))
    got = replay_bytes(tmp_path_factory.mktemp("mcap"), bytes(damaged))
    if compression is not CompressionType.NONE and not any(frame.fault for frame in got.frames):
        assert_frames_are(got.frames, shots)  # two forms of one content: a match of LZ4 at another distance
        return
    assert [frame.stamp_ns for frame in got.frames] == [
        shot.recorded_ns if i in numbers else shot.stamp_ns for i, shot in enumerate(shots)
    ]
    assert [frame.camera for frame in got.frames] == [shot.camera for shot in shots]
    assert [bool(frame.fault) for frame in got.frames] == [i in numbers for i in range(len(shots))]
    intact = [frame for frame in got.frames if not frame.fault]
    assert_frames_are(intact, [shot for i, shot in enumerate(shots) if i not in numbers])
    assert all("the chunk at byte" in frame.fault for frame in got.frames if frame.fault)
    assert got.error == ""


def test_mcap_file_with_a_damaged_chunk_and_no_index_says_that_messages_are_lost(tmp_path: Path) -> None:
    shots = drive(1, 12)
    contents, _ = mcap_bytes(shots, index=IndexType.NONE)
    chunks, _ = chunks_of(contents)
    end, numbers = list(chunks.items())[2]
    damaged = bytearray(contents)
    damaged[end - 20] ^= 1
    got = replay_bytes(tmp_path, bytes(damaged))
    assert_frames_are(got.frames, [shot for i, shot in enumerate(shots) if i not in numbers])
    assert "is damaged: crc validation failed" in got.error
    assert "nothing says which messages it held" in got.error


@pytest.mark.parametrize("zeros", [1, 8, 4096])
def test_mcap_file_with_zeros_at_its_end_gives_what_comes_before(tmp_path: Path, zeros: int) -> None:
    """A power cut leaves blocks that were reserved and never written."""
    shots = drive(2, 6)
    contents, _ = mcap_bytes(shots)
    _, data_end = chunks_of(contents)
    got = replay_bytes(tmp_path, contents[: data_end - 13] + bytes(zeros))
    assert_frames_are(got.frames, shots)
    assert f"of {data_end - 13 + zeros};" in got.error


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    compression=COMPRESSIONS,
    from_end=st.integers(1, _MAGIC + 2) | st.integers(1, 2000),
    bit=st.integers(0, 7),
)
def test_mcap_file_with_a_damaged_summary_gives_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, seed: int, compression: CompressionType, from_end: int, bit: int
) -> None:
    shots = drive(seed, 9, cameras=3, shuffled=True)
    contents, _ = mcap_bytes(shots, compression=compression)
    _, data_end = chunks_of(contents)
    damaged = bytearray(contents)
    damaged[max(data_end, len(contents) - from_end)] ^= 1 << bit
    got = replay_bytes(tmp_path_factory.mktemp("mcap"), bytes(damaged))
    assert_frames_are(got.frames, by_time(shots))
    lacks_end = "lacks its end, the closing magic of MCAP: all its messages are read"
    assert (lacks_end in got.error) == (from_end <= _MAGIC)
    assert got.error == "" or from_end <= _MAGIC


def test_mcap_file_whose_only_channel_definition_is_damaged_says_that_messages_are_lost(tmp_path: Path) -> None:
    shots = [*drive(3, 1, cameras=1), *drive(4, 6, cameras=1)]
    contents, _ = mcap_bytes(shots, chunk_size=1, summary=False, index=IndexType.NONE)
    chunks, _ = chunks_of(contents)
    damaged = bytearray(contents)
    damaged[next(iter(chunks)) - 1] ^= 1
    got = replay_bytes(tmp_path, bytes(damaged))
    assert got.frames == []
    assert "cannot read 1 channel of" in got.error
