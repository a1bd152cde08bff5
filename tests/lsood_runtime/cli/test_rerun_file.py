# SPDX-License-Identifier: Apache-2.0
"""Recordings for the rerun viewer, over a fake of its package: what is logged, and refusals."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import Assessment, MediaError, State
from lsood_runtime._cli.main import run
from lsood_runtime._cli.rerun_file import RerunFile
from lsood_runtime._maps.map_picture import BOX, MapPictures
from lsood_runtime._maps.objects import objects_of
from lsood_runtime._tiles.frame_edges import TileEdges, even_edges
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.stream.test_stream import shifted_frame


class FakeRecording:
    """Keeps what is logged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stamps: list[Any] = []
        self.logged: list[tuple[str, Any]] = []
        self.closed = False

    def save(self, path: Path) -> None:
        if path.name.startswith(".unwritable"):
            raise RuntimeError("the Rust side refuses")
        path.write_bytes(b"recording")

    def set_time(self, timeline: str, timestamp: Any) -> None:
        assert timeline == "stamp"
        self.stamps.append(timestamp)

    def log(self, where: str, value: Any) -> None:
        self.logged.append((where, value))

    def flush(self) -> None:
        assert not self.closed

    def disconnect(self) -> None:
        self.closed = True


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[FakeRecording]:
    made: list[FakeRecording] = []

    def stream(name: str) -> FakeRecording:
        made.append(FakeRecording(name))
        return made[-1]

    rerun = SimpleNamespace(
        RecordingStream=stream,
        Image=lambda image: SimpleNamespace(compress=lambda **_: ("image", image)),
        SegmentationImage=lambda classes: ("classes", classes),
        Scalars=lambda value: ("scalar", value),
        Boxes2D=lambda **boxes: boxes,
        TextLog=lambda text, level: (level, text),
    )
    monkeypatch.setitem(sys.modules, "rerun", rerun)
    return made


def verdict(score: float, reason: str = "", segmentation: Any = None) -> Assessment:
    return Assessment(
        score=score,
        p_value=0.5,
        is_ood=bool(reason),
        threshold=1.0,
        segmentation=segmentation,
        state=State.INVALID if reason else State.OK,
        reason=reason,
        provider="CPUExecutionProvider",
        latency_ms=1.0,
        stamp_ns=7,
    )


def test_rerun_file_frames_log_image_classes_scores_and_alarms(recordings: list[FakeRecording], tmp_path: Path) -> None:
    image = random_frames(1, 1)[0]
    classes = np.zeros(image.shape[:2], np.uint8)
    with RerunFile(tmp_path / "drive.rrd", 1.0) as file:
        file.add("/front", image, verdict(0.5, segmentation=classes), False)
        file.add("/front", image, verdict(np.inf, "black"), False)
        file.add("/front", image, verdict(2.0, "above", np.zeros((3, 2, 2), np.float32)), True)
    (recording,) = recordings
    assert (recording.closed, len(recording.stamps)) == (True, 3)
    assert (tmp_path / "drive.rrd").read_bytes() == b"recording"
    assert [path.name for path in tmp_path.iterdir()] == ["drive.rrd"]
    names = [where for where, _ in recording.logged]
    assert names.count("front/image") == names.count("front/threshold") == 3
    assert names.count("front/segmentation") == 1, "logits are no class map"
    assert [value for where, value in recording.logged if where == "front/score"] == [("scalar", 0.5), ("scalar", 2.0)]
    levels = [value[0] for where, value in recording.logged if where == "front/log"]
    assert levels == ["WARN", "ERROR"]


def test_rerun_file_of_a_bundle_with_a_map_logs_it_over_each_frame_that_has_one(
    recordings: list[FakeRecording], tmp_path: Path
) -> None:
    image = random_frames(1, 1)[0]
    values = np.array([[0, 9], [0, 0]], np.float32)
    maps = MapPictures(TileEdges(even_edges(2, 6), even_edges(2, 8), 6, 8), 5)
    objects = objects_of(values, 5, 1, maps.edges)
    mapped = replace(verdict(0.5), anomaly_map=values, objects=objects.objects, object_count=objects.count)
    with RerunFile(tmp_path / "drive.rrd", 1.0, maps) as file:
        file.add("/front", image, mapped, False)
        file.add("/front", image, verdict(np.inf, "black"), False)
        file.add("/front", image, replace(mapped, objects=(), object_count=None), False)
    drawn, bare = (value[1] for where, value in recordings[0].logged if where == "front/anomaly_map")
    np.testing.assert_array_equal(drawn, maps.draw(image, values, objects.objects))
    np.testing.assert_array_equal(bare, maps.draw(image, values))
    counts = [value for where, value in recordings[0].logged if where == "front/unknown_objects"]
    assert counts == [("scalar", 1)], "a number that is unknown is not logged as none"
    boxes = [value for where, value in recordings[0].logged if where == "front/image/unknown_objects"]
    each = {"mins": [(4, 0)], "sizes": [(4, 3)], "labels": ["unknown 9.0"], "colors": [BOX]}
    assert boxes == [each, {name: [] for name in each}], "the boxes of a frame end with it"


def test_rerun_file_that_cannot_be_written_is_refused(recordings: list[FakeRecording], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot write .*drive\.rrd: No such file or directory; choose another file"):
        RerunFile(tmp_path / "no" / "drive.rrd", 1.0)
    with pytest.raises(MediaError, match=r"cannot write .*unwritable\.rrd: the Rust side refuses; choose another file"):
        RerunFile(tmp_path / "unwritable.rrd", 1.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frames", [0, 1])
@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_rerun_file_that_is_ended_keeps_its_frames_or_the_older_file(
    recordings: list[FakeRecording], tmp_path: Path, frames: int, end: type[BaseException]
) -> None:
    path = tmp_path / "drive.rrd"
    path.write_bytes(b"old")
    with suppress(end), RerunFile(path, 1.0) as file:
        for _ in range(frames):
            file.add("/front", random_frames(1, 1)[0], verdict(0.5), False)
        assert path.read_bytes() == b"old"
        raise end
    assert path.read_bytes() == (b"recording" if frames else b"old")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_watch_with_rerun_logs_each_frame(
    recordings: list[FakeRecording], toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    for i in range(5):
        Image.fromarray(shifted_frame(i)).save(folder / f"{i}.png")
    assert run(["watch", str(toy_bundle), str(folder), "--alarm", "3of5", "--rerun", str(tmp_path / "drive.rrd")]) == 1
    capsys.readouterr()
    (recording,) = recordings
    images = [value[1] for where, value in recording.logged if where == "camera/image"]
    np.testing.assert_array_equal(images, [shifted_frame(i) for i in range(5)])
