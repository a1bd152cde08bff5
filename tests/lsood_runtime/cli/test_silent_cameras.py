# SPDX-License-Identifier: Apache-2.0
"""A camera that stops is noticed: in a recording by the others' time, on this machine by a timer."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import Stream
from lsood_runtime._cli import watch
from lsood_runtime._cli.main import run
from lsood_runtime._cli.silent_cameras import SilentCameras
from lsood_runtime._media import cameras
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.recordings import write_recording

SECOND = 1_000_000_000


def schedule(
    rates: list[float], stops: list[float], epochs: list[int], seed: int, end: float
) -> list[tuple[float, int, int]]:
    """Time, camera and stamp of each frame: jittered intervals, each camera on a clock of its own, until it stops."""
    rng = np.random.default_rng(seed)
    frames = []
    for camera, (rate, stop) in enumerate(zip(rates, stops, strict=True)):
        when = rng.random() / rate
        while when < min(stop, end):
            frames.append((when, camera, epochs[camera] + round(when * SECOND)))
            when += (0.5 + rng.random()) / rate
    return sorted(frames)


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.floats(0.2, 15), min_size=2, max_size=6),
    seed=st.integers(0, 10**6),
    epochs=st.lists(st.sampled_from([0, 17 * 10**17, 10**12]), min_size=6, max_size=6),
    stops=st.none() | st.floats(5, 20),
)
def test_silent_cameras_of_any_drive_are_those_that_stopped(
    rates: list[float], seed: int, epochs: list[int], stops: float | None
) -> None:
    rates[0] = max(rates[0], 5.0)  # one that goes on, and one that may stop
    end, max_age = 40.0, 1.0
    stop_times = [end] * len(rates)
    if stops is not None:
        stop_times[1] = stops
    silent, reports = SilentCameras(max_age), list[tuple[float, str, int]]()
    frames = schedule(rates, stop_times, epochs, seed, end)
    for when, camera, stamp in frames:
        reports += [(when, name, now) for name, now in silent.see(str(camera), stamp)]
    assert {name for _, name, _ in reports} <= {"1"}
    last = max((when for when, camera, _ in frames if camera == 1), default=None)
    quiet = end - last if last is not None else 0.0
    sent = sum(camera == 1 for _, camera, _ in frames)
    patience = max(max_age, 5 * 1.5 / rates[1]) if sent > 3 else 10.0
    if stops is None or last is None:
        assert not reports
    elif quiet > patience + 1:
        first, _, now = reports[0]
        assert max_age - 1.5 / rates[0] < first - last <= patience + 1, (
            "to within an interval of the camera that goes on"
        )
        assert now - (epochs[1] + round(last * SECOND)) == pytest.approx((first - last) * SECOND, abs=0.6 * SECOND)
        assert len(reports) <= quiet / max_age + 1


def test_silent_cameras_with_a_wrong_stamp_are_none() -> None:
    silent, reports = SilentCameras(1.0), []
    for i in range(200):
        for camera in ("a", "b"):
            stamp = 4_294_967_295 * SECOND if (i, camera) == (100, "a") else i * SECOND // 10
            reports += silent.see(camera, stamp)
    assert [name for name, _ in reports] in ([], ["b"]), "one jump is ten seconds at most, and b sends at once"


def test_watch_of_a_recording_in_which_a_camera_stops_reports_it(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = iter(random_frames(200, seed=1))
    records = []
    for i in range(60):
        stamp = 1_700_000_000 * SECOND + i * SECOND // 10
        records += [(topic, stamp, stamp, next(frames)) for topic in ("/front", "/rear") if topic == "/front" or i < 25]
    path, out = write_recording(tmp_path, "mcap file", records), tmp_path / "scores.jsonl"
    assert run(["watch", str(toy_bundle), str(path), "--alarm", "2of3", "--out", str(out)]) == 1
    printed, err = capsys.readouterr()
    assert "ALARM /rear at 1700000004.600 s (/rear#silent), score inf: expected frames of /rear, none came" in printed
    assert "85 frames" in err
    assert "/rear: silent, reported 3 times" in err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    silent = [row for row in rows if row["frame"] == "/rear#silent"]
    assert {row["camera"] for row in silent} == {"/rear"}
    assert {row["state"] for row in silent} == {"invalid"}
    assert len(rows) == 85 + len(silent)
    assert run(["watch", str(toy_bundle), str(path), "--alarm", "2of3", "--max-age", "20"]) == 0


class HangingCapture:
    """Some frames, then a driver that gives the thread back when it is released from outside, with the others of three."""

    release_it, before = threading.Event(), 2

    def __init__(self, _: int) -> None:
        self.frames: Iterator[Any] = iter(random_frames(3, 5))
        self.count = 0

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, *_: Any) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        self.count += 1
        if self.count == self.before + 1:
            assert self.release_it.wait(timeout=60)
        frame = next(self.frames, None)
        return frame is not None, frame

    def release(self) -> None:
        pass


@pytest.mark.parametrize("before", [0, 2])
def test_watch_of_a_camera_that_hangs_reports_it_and_goes_on(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], before: int
) -> None:
    monkeypatch.setattr(HangingCapture, "before", before)
    monkeypatch.setattr(watch, "_FIRST_FRAME_S", 0.02)
    HangingCapture.release_it.clear()
    reports, original = [], Stream.report_silent

    def report_silent(self: Stream, *arguments: Any) -> Any:
        result = original(self, *arguments)
        reports.append(result)
        if len(reports) == 3:
            HangingCapture.release_it.set()
        return result

    monkeypatch.setattr(Stream, "report_silent", report_silent)
    monkeypatch.setattr(cv2, "VideoCapture", HangingCapture)
    monkeypatch.setattr(cameras, "_WAIT_S", 0.005)
    out = tmp_path / "scores.jsonl"
    code = run(["watch", str(toy_bundle), "camera:0", "--max-age", "0.001", "--alarm", "2of3", "--out", str(out)])
    printed, err = capsys.readouterr()
    assert code == 1
    assert "ALARM camera:0 at " in printed
    assert f"none came {'for' if before else 'yet'}" in printed
    assert "camera:0 gave no frame after 3 frames" in err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    names = [row["frame"] for row in rows if row["frame"] != "camera:0#silent"]
    assert names == [f"camera:0#{i:06d}" for i in range(3)]
    assert all(row["state"] == "invalid" for row in rows if row["frame"] == "camera:0#silent")


def test_watch_of_a_camera_that_raises_names_it(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(HangingCapture):
        def read(self) -> tuple[bool, Any]:
            raise cv2.error("the driver is gone")

    monkeypatch.setattr(cv2, "VideoCapture", Failing)
    assert run(["watch", str(toy_bundle), "camera:0"]) == 2
    assert "camera:0 failed after 0 frames: the driver is gone" in capsys.readouterr().err
