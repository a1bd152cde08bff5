# SPDX-License-Identifier: Apache-2.0
"""Video in messages: each message gives its own frame, and a missing one spoils those that build on it, not the rest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foxglove_schemas_protobuf.CompressedVideo_pb2 import CompressedVideo

from tests.lsood_runtime.media.recordings.drives import Replay, Shot, drive, replay
from tests.lsood_runtime.media.recordings.test_foxglove_messages import write_protobuf
from tests.lsood_runtime.media.recordings.videos import ENCODERS, KEY_FRAME_EVERY, moving_scenes, packets_of

COUNT = 15
TOLERANCE = 12.0  # of a mean: chroma has half the resolution, and the picture is compressed


def replay_packets(folder: Path, name: str, packets: Sequence[bytes]) -> Replay:
    shots = drive(1, len(packets), cameras=1)
    messages: list[tuple[Shot, Any]] = [
        (shot, CompressedVideo(format=name, data=data)) for shot, data in zip(shots, packets, strict=True)
    ]
    return replay(write_protobuf(folder / "drive.mcap", messages))


def assert_shows(got: Replay, numbers: Sequence[int]) -> None:
    """The frames that were read are those of the scenes of these numbers, and of no other."""
    scenes = moving_scenes(COUNT)
    images = [frame.image for frame in got.frames if frame.image is not None]
    assert len(images) == len(numbers)
    for image, number in zip(images, numbers, strict=True):
        distance = [float(np.abs(image.astype(int) - scene).mean()) for scene in scenes]
        assert int(np.argmin(distance)) == number
        assert distance[number] < TOLERANCE


@pytest.mark.parametrize("name", ENCODERS)
def test_video_messages_give_a_frame_each(tmp_path: Path, name: str) -> None:
    got = replay_packets(tmp_path, name, packets_of(moving_scenes(COUNT), name))
    assert [frame.fault for frame in got.frames] == [""] * COUNT
    assert [frame.stamp_ns for frame in got.frames] == [shot.stamp_ns for shot in drive(1, COUNT, cameras=1)]
    assert_shows(got, range(COUNT))


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("lost", [0, 3, 5, 12])
def test_video_messages_behind_an_unreadable_one_are_faults_up_to_the_next_key_frame(
    tmp_path: Path, name: str, lost: int
) -> None:
    packets = packets_of(moving_scenes(COUNT), name)
    packets[lost] = b""
    got = replay_packets(tmp_path, name, packets)
    spoiled = range(lost, (lost // KEY_FRAME_EVERY + 1) * KEY_FRAME_EVERY)
    assert [bool(frame.fault) for frame in got.frames] == [i in spoiled for i in range(COUNT)]
    assert_shows(got, [i for i in range(COUNT) if i not in spoiled])


@pytest.mark.parametrize("name", ENCODERS)
def test_video_that_begins_between_key_frames_is_read_from_the_next(tmp_path: Path, name: str) -> None:
    packets = packets_of(moving_scenes(COUNT), name)[3:]
    got = replay_packets(tmp_path, name, packets)
    assert [bool(frame.fault) for frame in got.frames] == [True] * 2 + [False] * 10
    assert_shows(got, range(5, COUNT))
    assert "key frame" in got.frames[0].fault


@pytest.mark.parametrize("name", ["h263", "theora", ""])
def test_video_of_an_unknown_format_is_a_fault(tmp_path: Path, name: str) -> None:
    got = replay_packets(tmp_path, name, [b"\0\0\1\x67"] * 2)
    assert all(frame.fault for frame in got.frames)
    assert len(got.frames) == 2
