# SPDX-License-Identifier: Apache-2.0
"""Recorded drives of every kind: frames and stamps come back."""

from pathlib import Path

import numpy as np
import pytest

from lsood_runtime._media.recordings.reader import read_recording
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.recordings import COMPRESSED, IMAGE, KINDS, Record, write_recording
from tests.lsood_runtime.stream.test_stream import shifted_frame

START = 1_700_000_000_000_000_000


def drive(clean: int = 8, shifted: int = 6, topic: str = "/front/image_raw") -> list[Record]:
    frames = [*random_frames(clean, seed=1), *(shifted_frame(i) for i in range(shifted)), *random_frames(clean, seed=3)]
    return [(topic, START + i * 10**8 + 7, START + i * 10**8 + 999, frame) for i, frame in enumerate(frames)]


@pytest.mark.parametrize("message_type", [IMAGE, COMPRESSED])
@pytest.mark.parametrize("kind", KINDS)
def test_read_recording_every_kind_gives_frames_and_stamps(tmp_path: Path, kind: str, message_type: str) -> None:
    records = drive(2, 1) + [(topic, 0, s + 5, f) for topic, _, s, f in drive(1, 0, "/rear/image_raw")]
    path = write_recording(tmp_path, kind, sorted(records, key=lambda record: record[2]), message_type)
    for channels in ("rgb", "bgr"):
        read = list(read_recording(path, channels, tell=print))
        expected = sorted(records, key=lambda record: record[2])
        assert [(frame.camera, frame.stamp_ns) for frame in read] == [
            (topic, stamp or recorded) for topic, stamp, recorded, _ in expected
        ]
        for frame, (*_, original) in zip(read, expected, strict=True):
            np.testing.assert_array_equal(frame.image, original if channels == "rgb" else original[..., ::-1])
    only = list(read_recording(path, "rgb", ["/rear/image_raw"], tell=print))
    assert {frame.camera for frame in only} == {"/rear/image_raw"}
