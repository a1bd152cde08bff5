# SPDX-License-Identifier: Apache-2.0
"""Cameras over time: replay, stuck cameras, drift, dropped frames."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from lsood_runtime import (
    BundleError,
    ClosedError,
    FrameError,
    History,
    Hysteresis,
    KOfN,
    Manifest,
    OoDMonitor,
    ScoreHistogram,
    State,
    Stream,
    StreamAssessment,
)
from tests.lsood_runtime.bundle.test_manifest import text_with
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, toy_manifest
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor, score_frame

CALIBRATION = Manifest.from_json(text_with()).calibration
RED = np.tile(np.array([250, 1, 1], np.uint8), (HEIGHT, WIDTH, 1))


def shifted_frame(seed: int) -> Any:
    frame = RED.copy()
    frame[seed % HEIGHT, seed % WIDTH] = (200 - seed % 100, 30, 30)
    frame[(seed + 1) % HEIGHT, (seed + 3) % WIDTH] = (140, 60, seed % 200)
    return frame


def test_stream_shift_raises_the_alarm_in_time_and_a_replay_repeats_it(toy_bundle: Path) -> None:
    frames = [*random_frames(6, seed=1), *(shifted_frame(i) for i in range(5)), *random_frames(8, seed=3)]
    with OoDMonitor(toy_bundle) as monitor:
        results = []
        for _ in range(2):
            seen: list[StreamAssessment] = []
            stream = monitor.stream(KOfN(3, 4), on_result=seen.append)
            for i, frame in enumerate(frames):
                result = stream.assess(frame, stamp_ns=1000 + i)
                assert result is seen[-1]
            results.append([(r.index, r.alarm, r.onset, r.since_ns, r.statistic, r.verdict.score) for r in seen])
    assert results[0] == results[1]
    assert all(r.verdict.is_ood for r in seen[6:11])
    onsets = [r.index for r in seen if r.onset]
    assert onsets[0] <= 6 + 3 - 1
    assert seen[8].alarm
    assert seen[10].since_ns == 1000 + onsets[0]
    assert [r.verdict.stamp_ns for r in seen] == [1000 + i for i in range(len(frames))]


def test_stream_two_cameras_have_separate_states(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        stream = monitor.stream(KOfN(2, 2))
        for i in range(4):
            left, right = (
                stream.assess(shifted_frame(i), camera="left"),
                stream.assess(random_frames(1, i)[0], camera="right"),
            )
    assert left.alarm
    assert (left.camera, left.index, right.camera, right.index) == ("left", 3, "right", 3)
    assert int(stream.drift("left").counts.sum()) == int(stream.drift("right").counts.sum()) == 4
    with pytest.raises(KeyError):
        stream.drift("rear")


def test_stream_stamp_going_back_begins_anew_and_keeps_the_alarm(toy_bundle: Path) -> None:
    second = 10**9
    with OoDMonitor(toy_bundle) as monitor:
        stream = monitor.stream(KOfN(2, 3))
        stamps = [5 * second, 6 * second, 7 * second]
        assert [stream.assess(shifted_frame(i), stamp_ns=t).alarm for i, t in enumerate(stamps)] == [False, True, True]
        jitter = stream.assess(shifted_frame(3), stamp_ns=7 * second - 40)
        assert (jitter.alarm, jitter.index, jitter.verdict.stamp_ns) == (True, 3, 7 * second - 40)
        again = stream.assess(shifted_frame(4), stamp_ns=1 * second)
    assert (again.alarm, again.onset, again.index, again.since_ns) == (True, False, 4, 6 * second)
    assert (again.history, again.restarted, jitter.restarted) == (History.AFTER_STEP, True, False)
    assert int(stream.drift().counts.sum()) == 5


def test_stream_invalid_frames_raise_the_alarm_and_no_error(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        stream = monitor.stream(Hysteresis(0.06, 0.5))
        results = [stream.assess(frame) for frame in (random_frames(1, 1)[0], None, np.zeros((3, 3)), "x")]
    assert [r.verdict.state for r in results[1:]] == [State.INVALID] * 3
    assert all(r.alarm for r in results[1:])
    as_dict = json.loads(json.dumps(results[-1].asdict(), allow_nan=False))
    assert as_dict["alarm"] is True
    assert as_dict["camera"] == "camera"
    assert "got an object of type str" in as_dict["reason"]
    assert "ALARM" in str(results[-1])
    assert "\n" not in str(results[-1])


def test_stream_reported_frame_is_invalid_and_counts_for_the_alarm(toy_bundle: Path) -> None:
    seen: list[StreamAssessment] = []
    with OoDMonitor(toy_bundle, deadline_ms=1e-6) as monitor:
        stream = monitor.stream(KOfN(2, 2), on_result=seen.append)
        results = [stream.report_invalid("expected a JPEG, got 3 bytes", stamp_ns=i, camera="rear") for i in (5, 6)]
        alone = monitor.report_invalid("expected a JPEG, got 3 bytes", stamp_ns=7)
        with pytest.raises(ValueError, match="expected a reason"):
            stream.report_invalid("")
    assert [(r.verdict.state, r.verdict.is_ood, r.alarm, r.camera) for r in results] == [
        (State.INVALID, True, False, "rear"),
        (State.INVALID, True, True, "rear"),
    ]
    assert seen == results
    assert (results[1].verdict.reason, results[1].since_ns) == ("expected a JPEG, got 3 bytes", 6)
    assert (alone.score, alone.segmentation, alone.stamp_ns, alone.latency_ms) == (math.inf, None, 7, 0.0)
    assert math.isnan(alone.p_value)
    assert int(stream.drift("rear").counts.sum()) == 0
    with pytest.raises(ClosedError):
        monitor.report_invalid("nothing came")


def test_stream_impossible_arguments_are_refused(toy_bundle: Path) -> None:
    with OoDMonitor(toy_bundle) as monitor:
        with pytest.raises(ValueError, match="p-values down to"):
            monitor.stream(Hysteresis(0.001))
        for wrong in (0, -1, math.nan, math.inf):
            with pytest.raises(ValueError, match="expected a time above 0 s after which a camera is frozen"):
                monitor.stream(KOfN(), frozen_after_s=wrong)
        with pytest.raises(ValueError, match="at least one camera"):
            monitor.stream(KOfN(), max_cameras=0)
        with pytest.raises(ValueError, match="expected an alarm policy such as"):
            monitor.stream("3 of 5")
        assert repr(monitor.stream("2of3")) == "Stream(KOfN(k=2, n=3), 0 cameras, 0 with an alarm)"
        with pytest.raises(FrameError, match="expected no noise"):
            monitor.stream(KOfN()).assess(random_frames(1, 1)[0], [])
        stream = monitor.stream(KOfN())
    with pytest.raises(ClosedError):
        stream.assess(random_frames(1, 1)[0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.inf), max_size=50), st.lists(st.floats(-2, 2), max_size=20))
def test_histogram_any_scores_count_between_deciles_and_add_up(first: list[float], second: list[float]) -> None:
    deciles = np.unique(np.quantile(CALIBRATION.scores, np.arange(1, 10) / 10))
    histograms = [ScoreHistogram(CALIBRATION) for _ in range(3)]
    for histogram, scores in zip(histograms, (first, second, first + second), strict=True):
        for score in scores:
            histogram.add(score)
    left, right, both = histograms
    left.merge(right)
    np.testing.assert_array_equal(left.counts, both.counts)
    edges = [-math.inf, *deciles, math.inf]
    by_hand = [sum(a < s <= b for s in first + second) for a, b in pairwise(edges)]
    assert both.counts.tolist() == by_hand
    read = ScoreHistogram.from_json(both.to_json(), CALIBRATION)
    np.testing.assert_array_equal(read.counts, both.counts)
    known = [sum(a < s <= b for s in CALIBRATION.scores) for a, b in pairwise(edges)]
    a, e = np.array(by_hand) + 0.5, np.array(known) + 0.5
    expected = entropy(a, e) + entropy(e, a) if first + second else 0.0  # the index is the symmetric divergence
    assert both.population_stability_index == pytest.approx(expected, abs=1e-12)


def test_histogram_of_another_bundle_is_refused() -> None:
    manifest = toy_manifest()
    manifest["calibration"]["scores"] = [score + 1 for score in manifest["calibration"]["scores"]]
    for point in manifest["operating_points"].values():
        point["value"] += 1
    other = ScoreHistogram(Manifest.from_json(json.dumps({"files": {}} | manifest)).calibration)
    mine = ScoreHistogram(CALIBRATION)
    with pytest.raises(BundleError, match="another bundle"):
        mine.merge(other)
    for text in (other.to_json(), "", "[]", '{"counts": []}', mine.to_json().replace("0]", "-1]"), "{}"):
        with pytest.raises(BundleError):
            ScoreHistogram.from_json(text, CALIBRATION)


def test_stream_of_any_assessor_raises_and_clears_alarms() -> None:
    scores = [0.0, 2.0, 2.0, math.inf, 0.0, 0.0]
    stream = Stream(ScriptedMonitor(), KOfN(2, 2))
    results = [stream.assess(score_frame(score, i), stamp_ns=i + 1) for i, score in enumerate(scores)]
    assert [result.alarm for result in results] == [False, False, True, True, False, False]
    assert [result.onset for result in results] == [False, False, True, False, False, False]
    assert int(stream.drift().counts.sum()) == 5, "a score that is not finite is no part of the drift"


def test_stream_frames_that_are_not_handed_over_are_never_frozen() -> None:
    class Broken:
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("no such memory")

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    stream = Stream(ScriptedMonitor(), KOfN(2, 2))
    broken = Broken()
    states = [stream.assess(broken, stamp_ns=(i + 1) * 10**9).verdict.state for i in range(5)]
    assert states == [State.OK] * 5
