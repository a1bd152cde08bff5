# SPDX-License-Identifier: Apache-2.0
"""Cameras that fall silent, that are forgotten, and that come from several threads."""

import gc
import itertools
import math
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import Evidence, History, KOfN, MinimumDuration, State, StreamAssessment
from lsood_runtime._stream.stream import Stream
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor, score_frame

SECOND = 10**9
MONITOR = ScriptedMonitor()


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100), min_size=1), st.integers(0, 200), st.floats(0.1, 50)
)
def test_stream_silent_cameras_are_those_older_than_the_age(last_s: dict[str, int], now_s: int, age: float) -> None:
    stream = Stream(MONITOR, KOfN(3, 5))
    for camera, second in last_s.items():
        stream.assess(score_frame(0.0), stamp_ns=second * SECOND, camera=camera)
    found = stream.silent(now_s * SECOND, max_age_s=age, expected=["a", "never"])
    expected = {camera: now_s - second for camera, second in last_s.items() if now_s - second > age}
    never = {camera: math.inf for camera in ("a", "never") if camera not in last_s}
    assert found == pytest.approx(expected | never)


def test_stream_silent_of_no_age_or_of_one_text_is_refused() -> None:
    stream = Stream(MONITOR, KOfN(3, 5))
    for age in (math.nan, -1.0):
        with pytest.raises(ValueError, match="expected a largest age of at least 0 s"):
            stream.silent(max_age_s=age)
    with pytest.raises(TypeError, match=r"got the text 'front': pass \['front'\]"):
        stream.silent(expected="front")


def test_stream_silent_without_a_time_counts_from_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream = Stream(MONITOR, KOfN(3, 5))
    stream.assess(score_frame(0.0), stamp_ns=5, camera="front")
    stream.report_invalid("expected a JPEG, got 3 bytes", stamp_ns=5, camera="rear")
    now = 103.5
    stream.report_silent("front")
    assert stream.silent(max_age_s=3) == {"front": 3.5, "rear": 3.5}, "a report is no sign of life"
    assert stream.silent(2, max_age_s=3) == {"front": 3.5, "rear": 3.5}, "a clock behind the stamps tells nothing"
    stream.assess(score_frame(0.0), stamp_ns=6, camera="front")
    assert stream.silent(max_age_s=3) == {"rear": 3.5}


@pytest.mark.parametrize("policy", [KOfN(2, 3), MinimumDuration(0.5, 0.5)])
def test_stream_silent_camera_raises_its_alarm_and_clears_it_when_it_is_back(policy: KOfN | MinimumDuration) -> None:
    seen: list[StreamAssessment] = []
    stream = Stream(MONITOR, policy, on_result=seen.append)
    step = SECOND // 10
    for i in range(10):
        stream.assess(score_frame(0.0, i), stamp_ns=i * step)
    results = [stream.report_silent(now_ns=9 * step + i * SECOND) for i in range(1, 4)]
    assert [result.alarm for result in results] == [False, True, True]
    assert {result.verdict.state for result in results} == {State.INVALID}
    assert "expected frames of camera, none came for 3.0 s" in results[-1].verdict.reason
    assert (stream.summary().frames, stream.summary().silent, stream.summary().alarms) == (10, 3, 1)
    back = [stream.assess(score_frame(0.0, i), stamp_ns=9 * step + 4 * SECOND + i * step) for i in range(20)]
    assert back[0].history is History.AFTER_GAP
    assert [result.index for result in back] == list(range(10, 30))
    assert not back[-1].alarm
    assert len(seen) == 33


@given(st.lists(st.integers(1, 40), max_size=5), st.integers(41, 60))
def test_stream_reports_of_silence_add_nothing_to_the_time_that_passed(reports: list[int], back: int) -> None:
    """Out of distribution before the silence and after it: a duration counts what the stamps say, whatever was reported."""
    tenth, policy = SECOND // 10, MinimumDuration(5.0, 5.0)
    stream = Stream(MONITOR, policy)
    for i in range(8):
        stream.assess(score_frame(2.0, i), stamp_ns=i * tenth)
    for after in sorted(reports):
        stream.report_silent(now_ns=(7 + after) * tenth)
    result = stream.assess(score_frame(2.0, 9), stamp_ns=back * tenth)
    assert result.history is (History.CONTINUES if back <= 57 else History.AFTER_GAP)
    assert result.alarm == (50 <= back <= 57)


def test_stream_camera_that_never_came_can_be_reported() -> None:
    stream = Stream(MONITOR, KOfN(2, 2))
    results = [stream.report_silent("rear", now_ns=i * SECOND) for i in (1, 2)]
    assert [result.alarm for result in results] == [False, True]
    assert "expected frames of rear, none came yet" in results[0].verdict.reason
    assert stream.silent(3 * SECOND, expected=["rear"]) == {"rear": math.inf}
    first = stream.assess(score_frame(0.0), stamp_ns=3 * SECOND, camera="rear")
    assert (first.index, stream.summary("rear").frames) == (0, 1)


def test_stream_forgotten_camera_begins_anew() -> None:
    stream = Stream(MONITOR, KOfN(1, 1))
    assert stream.assess(score_frame(2.0), stamp_ns=5, camera="a").alarm
    stream.forget("a")
    assert stream.cameras == ()
    for unknown in (stream.forget, stream.drift, stream.summary):
        with pytest.raises(KeyError):
            unknown("a")
    again = stream.assess(score_frame(0.0), stamp_ns=6, camera="a")
    assert (again.index, again.alarm, again.history) == (0, False, History.BEGINS)


def test_stream_more_cameras_than_allowed_forgets_the_quiet_one_unseen_for_longest() -> None:
    stream = Stream(MONITOR, KOfN(1, 1), max_cameras=3)
    for i, (camera, score) in enumerate([("a", 2.0), ("b", 0.0), ("c", 0.0), ("b", 0.0), ("d", 0.0)]):
        stream.assess(score_frame(score, i), stamp_ns=i, camera=camera)
    assert set(stream.cameras) == {"a", "b", "d"}
    assert repr(stream) == "Stream(KOfN(k=1, n=1), 3 cameras, 1 with an alarm)"


def test_stream_memory_of_a_camera_is_small() -> None:
    """A frame of 1.5 MB; its camera costs a few kilobytes."""
    stream, frames = Stream(MONITOR, KOfN(3, 5)), np.zeros((8, 512, 1024, 3), np.uint8)
    stream.assess(frames[0], stamp_ns=1, camera="first")
    gc.collect()
    tracemalloc.start()
    for i in range(100):
        stream.assess(frames[i % 8], stamp_ns=1, camera=f"camera {i}")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 100 * 20_000


def test_stream_one_camera_from_many_threads_counts_each_frame_once() -> None:
    class SlowCount:
        """An alarm whose update is torn apart by other threads unless it is guarded."""

        statistic = 0.0

        def update(self, _: Evidence) -> bool:
            before = self.statistic
            time.sleep(0)
            self.statistic = before + 1
            return False

    class SlowPolicy:
        def start(self, _: object) -> SlowCount:
            return SlowCount()

        def delay_frames(self, _: object, __: float) -> int:
            return 1

        def window_s(self, _: object, __: float) -> float:
            return 1.0

    stream, stamps = Stream(MONITOR, SlowPolicy()), itertools.count(SECOND, 1000)
    barrier = threading.Barrier(8)

    def send(_: int) -> list[StreamAssessment]:
        barrier.wait()
        return [stream.assess(score_frame(0.0, next(stamps)), stamp_ns=next(stamps)) for _ in range(200)]

    with ThreadPoolExecutor(8) as pool:
        results = list(itertools.chain.from_iterable(pool.map(send, range(8))))
    assert sorted(result.index for result in results) == list(range(1600))
    assert stream.summary().frames == 1600
    assert int(stream.drift().counts.sum()) == 1600
    valid = [result for result in results if result.verdict.state is not State.INVALID]
    assert max(result.statistic for result in results) == 1600
    assert valid


def test_stream_on_result_may_ask_the_stream() -> None:
    asked: list[object] = []
    stream = Stream(MONITOR, KOfN(1, 1), on_result=lambda _: asked.append((stream.summary(), stream.silent())))
    stream.assess(score_frame(0.0), stamp_ns=1)
    stream.report_silent()
    assert len(asked) == 2
