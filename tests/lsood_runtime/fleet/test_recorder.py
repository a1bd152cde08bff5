# SPDX-License-Identifier: Apache-2.0
"""A recorder in a running process: what a stream assesses is counted once, by day, and written whatever happens."""

import itertools
import logging
import math
import pickle
import threading
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lsood_runtime import DailySummary, KOfN, MediaError, Stream, SummaryRecorder, read_summaries, write_summaries
from lsood_runtime._fleet.daily_summary import merged_summaries
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._fleet.held_days import HeldDays
from tests.lsood_runtime.fleet.drawn_summaries import DAY, START_NS
from tests.lsood_runtime.scripted_monitor import THRESHOLD, ScriptedMonitor, score_frame

SECOND = 10**9
DAY_NS = 86_400 * SECOND


class DigestMonitor(ScriptedMonitor):
    manifest_sha256, threshold = "d" * 64, THRESHOLD


def fed(recorder: SummaryRecorder, scores: list[float], start_ns: int = START_NS, camera: str = "front") -> None:
    """Send frames of these scores, a second apart, through a stream with the rule ``1of1``; NaN is no image."""
    stream = Stream(DigestMonitor(), KOfN(1, 1), on_result=recorder.add)
    for i, score in enumerate(scores):
        if math.isnan(score):
            stream.report_invalid("no image", stamp_ns=start_ns + i * SECOND, camera=camera)
        else:
            stream.assess(score_frame(score, i), stamp_ns=start_ns + i * SECOND, camera=camera)


def settled(recorder: SummaryRecorder) -> SummaryRecorder:
    """The recorder after the thread has ended that writes the days that are over, if there is one."""
    if (writer := recorder._writer) is not None:
        writer.join()
    return recorder


def test_frames_alarms_and_drops_of_a_day_are_counted(tmp_path: Path) -> None:
    with SummaryRecorder(DigestMonitor(), vehicle="car 17", folder=tmp_path) as recorder:
        fed(recorder, [0, 2, 2, 2, 0, math.nan, 0])
        recorder.add_dropped(3, camera="front", stamp_ns=START_NS)
        recorder.add_dropped(camera="rear", stamp_ns=START_NS)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("car_17-2026-11-23-")
    front, rear = read_summaries(path)
    assert (front.vehicle, front.camera, front.day, front.bundle) == ("car 17", "front", DAY, "d" * 64)
    assert {state: count for state, count in front.counts.states.items() if count} == {
        "ok": 3,
        "out_of_distribution": 3,
        "invalid": 1,
    }
    assert (front.counts.alarms, front.counts.alarm_frames, front.counts.alarm_seconds) == (2, 4, 2)
    assert (front.counts.dropped, rear.counts.dropped, rear.counts.frames) == (3, 1, 0)


def test_days_are_written_at_midnight_and_late_frames_of_the_day_before_still_count(tmp_path: Path) -> None:
    with SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path) as recorder:
        fed(recorder, [0, 2], START_NS)
        assert list(tmp_path.iterdir()) == []
        fed(recorder, [0], START_NS + DAY_NS)
        settled(recorder)
        assert sorted(path.name[:14] for path in tmp_path.iterdir()) == ["car-2026-11-23", "car-2026-11-24"]
        fed(recorder, [0], START_NS + DAY_NS - SECOND)
    counted = {s.day: s.counts.frames for path in tmp_path.iterdir() for s in read_summaries(path)}
    assert counted == {DAY: 3, DAY + timedelta(1): 1}


def test_clock_that_jumps_ahead_for_a_while_loses_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 600))
    monkeypatch.setattr("lsood_runtime._fleet.recorder.time.monotonic", lambda: float(next(clock)))
    jump, recorder = 80_000, SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    for offset in (0, jump, jump + 1, 0, 1):
        fed(recorder, [0, 0], START_NS + offset * DAY_NS)
        settled(recorder)
    recorder.close()
    merged = list(merged_summaries(list(read_summaries(path)) for path in tmp_path.iterdir()))
    counted = {(summary.day - DAY).days: summary.counts.frames for summary in merged}
    assert counted == {0: 4, 1: 2, jump: 2, jump + 1: 2}
    assert recorder.totals()["front"].frames == 10
    assert len(recorder.summaries) <= 3


def test_cameras_whose_stamps_differ_by_days_take_turns_without_new_files(tmp_path: Path) -> None:
    """One camera in 2038, and two around midnight: 82 frames."""
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    for i in range(82):
        offset = (4000 * DAY_NS, -SECOND, SECOND)[i % 3]
        recorder.add_dropped(camera=f"{i % 3}", stamp_ns=START_NS + offset)
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 3
    counted = [s.counts.dropped for path in sorted(tmp_path.iterdir()) for s in read_summaries(path)]
    assert sorted(counted) == [27, 27, 28]


def test_day_of_the_machine_is_never_forgotten_and_few_others_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsood_runtime._fleet.recorder.time.time_ns", lambda: START_NS)
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    for i in range(20):
        recorder.add_dropped(stamp_ns=START_NS + i * DAY_NS)
    held = [summary.day for summary in settled(recorder).summaries]
    assert held[0] == DAY
    assert held[1:] == [DAY + timedelta(i) for i in range(13, 20)]
    assert recorder.totals()["camera"].dropped == 20
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 20


def test_frames_of_another_threshold_and_names_that_no_file_holds_are_refused(tmp_path: Path) -> None:
    class Other(DigestMonitor):
        threshold = THRESHOLD + 1

    recorder, result = SummaryRecorder(Other(), vehicle="car"), DigestMonitor()
    with pytest.raises(ValueError, match="make a recorder for each monitor"):
        recorder.add(result.assess_since(1.0, score_frame(2.0), stamp_ns=START_NS))
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    for name, words in (("", "expected the name of a camera, got an empty one"), ("a\udcff", "that is text, got 'a")):
        with pytest.raises(ValueError, match=words):
            recorder.add_dropped(camera=name)
        with pytest.raises(ValueError, match=words):
            recorder.add(result.assess_since(1.0, score_frame(2.0), stamp_ns=START_NS), name)
        with pytest.raises(ValueError, match=words):
            fed(recorder, [0], camera=name)
    assert recorder.write() == ()
    with pytest.raises(ValueError, match="expected the name of a vehicle that is text"):
        SummaryRecorder(DigestMonitor(), vehicle="a\udcff")


def test_processes_of_one_day_write_files_that_add_up(tmp_path: Path) -> None:
    for scores in ([0, 0, 2], [2, 2], []):
        with SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path) as recorder:
            fed(recorder, scores)  # type: ignore[arg-type]
    (merged,) = merged_summaries(list(read_summaries(path)) for path in tmp_path.iterdir())
    assert merged.counts.frames == 5


def test_write_replaces_the_file_of_the_same_day(tmp_path: Path) -> None:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    fed(recorder, [0])
    (first,) = recorder.write()
    fed(recorder, [0])
    assert recorder.write() == (first,)
    assert [summary.counts.frames for summary in read_summaries(first)] == [2]


def test_stamps_that_count_from_0_take_the_day_of_the_machine() -> None:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car")
    fed(recorder, [0, 2], start_ns=0)
    (summary,) = recorder.summaries
    assert summary.day.year >= 2026
    assert summary.counts.frames == 2
    assert recorder.write() == ()


def test_assessment_without_a_stream_counts_and_raises_no_alarm() -> None:
    recorder, monitor = SummaryRecorder(DigestMonitor(), vehicle="car"), DigestMonitor()
    recorder.add(monitor.assess_since(1.0, score_frame(2.0), stamp_ns=START_NS), "rear")
    (summary,) = recorder.summaries
    assert (summary.camera, summary.counts.frames, summary.counts.followed) == ("rear", 1, 0)


def test_disk_that_is_full_stops_no_camera_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise MediaError("cannot write it: No space left on device")

    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR, "lsood_runtime"):
        patched.setattr("lsood_runtime._fleet.recorder.write_summaries", full)
        for offset in range(4):
            fed(recorder, [0], START_NS + offset * DAY_NS)
        settled(recorder)
        assert "No space left on device; the counts are kept" in caplog.text
        with pytest.raises(MediaError, match="No space left"):
            recorder.close()
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 4


def test_day_that_did_not_change_is_not_written_again_for_each_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[date] = []

    def noted(summaries: Iterable[DailySummary], path: Path) -> None:
        held = list(summaries)
        written.append(held[0].day)
        write_summaries(held, path)

    monkeypatch.setattr("lsood_runtime._fleet.recorder.write_summaries", noted)
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    for offset in range(6):
        recorder.add_dropped(stamp_ns=START_NS + offset * DAY_NS)
        settled(recorder)
    assert written == [DAY + timedelta(offset) for offset in range(6)]
    recorder.add_dropped(stamp_ns=START_NS)
    recorder.add_dropped(stamp_ns=START_NS + 6 * DAY_NS)
    settled(recorder)
    assert written[6:] == [DAY, DAY + timedelta(6)]
    recorder.close()
    counted = {s.day: s.counts.dropped for path in tmp_path.iterdir() for s in read_summaries(path)}
    assert counted == {DAY + timedelta(offset): 1 + (offset == 0) for offset in range(7)}


class SlowDisk:
    """Writes summaries once it is let go; until then a frame that waits for it would wait for a minute."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.is_waited_for = threading.Event(), threading.Event(), False

    def write(self, summaries: Iterable[DailySummary], path: Path) -> None:
        self.begun.set()
        self.is_waited_for |= not self.let_go.wait(60)
        write_summaries(summaries, path)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr("lsood_runtime._fleet.recorder.write_summaries", disk.write)
    yield disk
    disk.let_go.set()


def test_frames_wait_for_no_disk_and_are_in_the_next_write(tmp_path: Path, slow_disk: SlowDisk) -> None:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    fed(recorder, [0, 2], START_NS)
    fed(recorder, [0], START_NS + DAY_NS)
    assert slow_disk.begun.wait(60)
    fed(recorder, [0, 0, 0], START_NS + 10 * SECOND)  # of the day that is being written
    fed(recorder, [0], START_NS + 2 * DAY_NS)
    recorder.add_dropped(5, camera="front", stamp_ns=START_NS)
    assert [summary.counts.frames for summary in recorder.summaries] == [5, 1, 1]
    assert recorder.totals()["front"].dropped == 5
    assert list(tmp_path.glob("*.parquet")) == []
    slow_disk.let_go.set()
    settled(recorder)
    assert not slow_disk.is_waited_for
    counted = {s.day: s.counts.frames for path in tmp_path.iterdir() for s in read_summaries(path)}
    assert counted == {DAY: 5, DAY + timedelta(1): 1, DAY + timedelta(2): 1}
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_frame_of_a_timer_that_writes_waits_for_no_disk(tmp_path: Path, slow_disk: SlowDisk) -> None:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    fed(recorder, [0])
    timer = threading.Thread(target=recorder.write)
    timer.start()
    assert slow_disk.begun.wait(60)
    fed(recorder, [0])
    slow_disk.let_go.set()
    timer.join()
    assert not slow_disk.is_waited_for
    recorder.close()
    (path,) = tmp_path.iterdir()
    assert [summary.counts.frames for summary in read_summaries(path)] == [2]


def test_day_that_changed_while_it_was_written_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsood_runtime._fleet.held_days.time.monotonic", itertools.count(0, 600).__next__)
    held = HeldDays("car", "d" * 64, THRESHOLD)
    days = [DAY + timedelta(i) for i in range(4)]
    for day in days:
        held.add(day, "front", 1)
    written = held.copies()
    held.add(days[1], "front", 1)
    held.add(days[3], "front", 1)
    assert held.forget(written, keep=days[2]) == [days[0]]
    assert held.forget(held.copies(), keep=DAY - timedelta(9)) == [days[2], days[1]]
    assert held.totals()["front"].dropped == 6


def test_recorder_without_threads_keeps_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    recorder = SummaryRecorder(DigestMonitor(), vehicle="car", folder=tmp_path)
    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR, "lsood_runtime"):
        patched.setattr(threading.Thread, "start", none_left)
        fed(recorder, [0], START_NS)
        fed(recorder, [0], START_NS + DAY_NS)
    assert "can't start new thread; the counts are kept" in caplog.text
    recorder.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_recorder_refuses_wrong_arguments(tmp_path: Path) -> None:
    monitor: Any = DigestMonitor()
    for arguments, words in (
        ({"vehicle": " "}, "expected the name of a vehicle, got an empty one"),
        ({"vehicle": "car", "folder": tmp_path / "none"}, "make it first"),
    ):
        with pytest.raises((ValueError, MediaError), match=words):
            SummaryRecorder(monitor, **arguments)
    recorder = SummaryRecorder(monitor, vehicle="car")
    with pytest.raises(TypeError, match="expected a recorder to stay where it was made"):
        pickle.dumps(recorder)


def test_forked_process_begins_with_no_counts() -> None:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car")
    fed(recorder, [0, 0])
    recorder.leave_to_parent()  # what a fork calls in the child
    assert recorder.summaries == ()
    assert recorder.totals() == {}


def test_rows_and_assessments_give_the_same_facts() -> None:
    results: list[Any] = []
    stream = Stream(DigestMonitor(), KOfN(1, 2), on_result=results.append)
    for i, score in enumerate([0, 2, 0.5, 0, 0, 0, 0]):
        stream.assess(score_frame(score, i // 2), stamp_ns=START_NS + i // 2 * 2 * SECOND, camera="front")
    stream.report_silent("front", START_NS + 99 * SECOND)
    for result in results:
        ours, row = FrameFacts.of_assessment(result), FrameFacts.of_row(result.asdict())
        assert repr(ours) == repr(row)  # NaN is not equal to itself
        as_csv = {name: "" if value is None else str(value) for name, value in result.asdict().items()}
        assert repr(FrameFacts.of_row(as_csv)) == repr(ours)
        alone = result.verdict
        assert repr(FrameFacts.of_assessment(alone)) == repr(FrameFacts.of_row(alone.asdict()))
