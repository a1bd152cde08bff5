# SPDX-License-Identifier: Apache-2.0
"""A worker scores the latest frame of each camera, and what goes wrong in its thread reaches the caller."""

import copy
import logging
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lsood_runtime import (
    ClosedError,
    KOfN,
    LatestFrameWorker,
    OoDMonitor,
    ProviderError,
    State,
    Stream,
    StreamAssessment,
)
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor, score_frame

TIMEOUT_S = 30


def test_worker_stamp_zero_is_kept(toy_bundle: Path) -> None:
    seen: list[StreamAssessment] = []
    with OoDMonitor(toy_bundle) as monitor, LatestFrameWorker(monitor.stream(KOfN(), on_result=seen.append)) as worker:
        worker.submit(random_frames(1, 0)[0], stamp_ns=0)
    assert [result.verdict.stamp_ns for result in seen] == [0]


def test_worker_slow_monitor_scores_the_latest_frame_and_counts_the_others(toy_bundle: Path) -> None:
    entered, leave = threading.Event(), threading.Event()
    seen: list[StreamAssessment] = []

    def on_result(result: StreamAssessment) -> None:
        seen.append(result)
        entered.set()
        assert leave.wait(30)

    with OoDMonitor(toy_bundle) as monitor:
        worker = LatestFrameWorker(monitor.stream(KOfN(), on_result=on_result))
        frames = random_frames(5, seed=6)
        assert worker.submit(frames[0], stamp_ns=10)
        assert entered.wait(30)
        buffer = frames[1].copy()
        assert worker.submit(buffer, stamp_ns=11)
        assert worker.submit(frames[4], stamp_ns=11, camera="rear")
        assert not worker.submit(frames[2], stamp_ns=12)
        buffer = frames[3].copy()
        assert not worker.submit(buffer, stamp_ns=13)
        buffer[:] = 0
        assert worker.dropped == 2
        leave.set()
        worker.close()
        worker.close()
        expected = [monitor.score(frames[0]), monitor.score(frames[3]), monitor.score(frames[4])]
    assert [(r.camera, r.verdict.stamp_ns) for r in seen] == [("camera", 10), ("camera", 13), ("rear", 11)]
    assert [r.verdict.score for r in seen] == expected
    assert seen[1].verdict.latency_ms > 0
    with pytest.raises(ClosedError, match="make a new LatestFrameWorker"):
        worker.submit(frames[0])


def test_worker_error_reaches_the_caller(toy_bundle: Path) -> None:
    raised = threading.Event()

    def fail(result: StreamAssessment) -> None:
        raised.set()
        raise RuntimeError("disk full")

    with OoDMonitor(toy_bundle) as monitor:
        worker = LatestFrameWorker(monitor.stream(KOfN(), on_result=fail))
        worker.submit(random_frames(1, 0)[0])
        assert raised.wait(30)
        with pytest.raises(RuntimeError, match="disk full"):
            worker.close()


def test_worker_failing_provider_reaches_the_caller(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        worker = LatestFrameWorker(monitor.stream(KOfN()))
        monkeypatch.setattr("onnxruntime.InferenceSession.run", None)
        worker.submit(random_frames(1, 0)[0])
        with pytest.raises(ProviderError, match="failed while it ran"):
            worker.close()


def test_worker_waiting_time_counts_towards_the_deadline(toy_bundle: Path) -> None:
    block, late = threading.Event(), []

    def wait(result: StreamAssessment) -> None:
        late.append(result)
        block.wait(0.3)

    with (
        OoDMonitor(toy_bundle, deadline_ms=200) as monitor,
        LatestFrameWorker(monitor.stream(KOfN(), on_result=wait)) as worker,
    ):
        for i, frame in enumerate(random_frames(2, 0)):
            worker.submit(frame, camera=str(i))
    assert late[1].verdict.latency_ms > 200
    assert late[1].verdict.state is State.LATE
    assert "the deadline is 200 ms" in late[1].verdict.reason


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RuntimeError("disk full"), ProviderError("no memory")],
)
@pytest.mark.parametrize("raised_by", ["submit", "close"])
def test_worker_whose_callback_raises_hands_it_over_and_says_that_it_stopped(
    caplog: pytest.LogCaptureFixture, error: BaseException, raised_by: str
) -> None:
    def fail(_: StreamAssessment) -> None:
        raise error

    worker = LatestFrameWorker(Stream(ScriptedMonitor(), KOfN(), on_result=fail))
    with caplog.at_level(logging.ERROR, logger="lsood_runtime"):
        worker.submit(score_frame(0.0), stamp_ns=1, camera="front")
        worker._thread.join(TIMEOUT_S)
        assert not worker._thread.is_alive()
    assert f"the worker stopped at a frame of front by {type(error).__name__}" in caplog.text
    with pytest.raises(type(error)) as caught:
        worker.submit(score_frame(0.0)) if raised_by == "submit" else worker.close()
    assert caught.value is error
    with pytest.raises(
        ClosedError, match=rf"this one stopped at a frame of front by {type(error).__name__}.*make a new"
    ):
        worker.submit(score_frame(0.0))
    worker.close()


def test_worker_closed_by_its_own_callback_is_an_error_and_no_deadlock() -> None:
    def close_it(_: StreamAssessment) -> None:
        worker.close()

    worker = LatestFrameWorker(Stream(ScriptedMonitor(), KOfN(), on_result=close_it))
    worker.submit(score_frame(0.0), stamp_ns=1)
    worker._thread.join(TIMEOUT_S)
    assert not worker._thread.is_alive()
    with pytest.raises(RuntimeError, match=r"expected close in another thread .* got it inside on_result"):
        worker.close()


def test_worker_whose_callback_catches_the_error_of_close_goes_on() -> None:
    told: list[str] = []

    def close_it(_: StreamAssessment) -> None:
        with pytest.raises(RuntimeError) as caught:
            worker.close()
        told.append(str(caught.value))

    worker = LatestFrameWorker(Stream(ScriptedMonitor(), KOfN(), on_result=close_it))
    for camera in ("front", "rear"):
        worker.submit(score_frame(0.0), stamp_ns=1, camera=camera)
    worker.close()
    assert len(told) == 2


def test_worker_callback_may_submit_the_next_frame() -> None:
    seen: list[int] = []

    def next_frame(result: StreamAssessment) -> None:
        seen.append(result.verdict.stamp_ns)
        if len(seen) < 5:
            worker.submit(score_frame(0.0, len(seen)), stamp_ns=len(seen))
        else:
            done.set()

    done = threading.Event()
    worker = LatestFrameWorker(Stream(ScriptedMonitor(), KOfN(), on_result=next_frame))
    worker.submit(score_frame(0.0), stamp_ns=0)
    assert done.wait(TIMEOUT_S)
    worker.close()
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy])
def test_stream_and_worker_carried_elsewhere_say_what_to_carry(carry: Callable[[object], object]) -> None:
    stream = Stream(ScriptedMonitor(), KOfN())
    with LatestFrameWorker(stream) as worker:
        for kept in (stream, worker):
            with pytest.raises(TypeError, match=r"to stay where it was made, got a copy or a pickle of it: pickle"):
                carry(kept)
