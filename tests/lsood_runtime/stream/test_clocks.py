# SPDX-License-Identifier: Apache-2.0
"""Stamps as real clocks give them: what becomes of evidence, alarms and states."""

import itertools
import json
import logging
import math
import time
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lsood_runtime import Cusum, History, Hysteresis, KOfN, MinimumDuration, Policy, State, StreamAssessment
from lsood_runtime._stream.stream import Stream
from tests.drawn_examples import examples
from tests.lsood_runtime.scripted_monitor import ScriptedMonitor, score_frame

SECOND, TENTH = 10**9, 10**8
EPOCH = 1_700_000_000 * SECOND
MONITOR = ScriptedMonitor()
POLICIES: tuple[Policy, ...] = (KOfN(3, 5), Hysteresis(0.1, 0.4), MinimumDuration(0.5, 0.5), Cusum(0.001, 10))
flags = st.lists(st.booleans(), min_size=1, max_size=40)
Drive = Iterable[tuple[int | None, bool]]
numbers = itertools.count()


def play(policy: Policy, drive: Drive, stream: Stream | None = None) -> list[StreamAssessment]:
    """Results of frames by stamp and by whether they are out of distribution; no two images are alike."""
    stream = stream or Stream(MONITOR, policy)
    return [stream.assess(score_frame(2.0 if strange else 0.0, next(numbers)), stamp_ns=t) for t, strange in drive]


def alarms(results: Iterable[StreamAssessment]) -> list[bool]:
    return [result.alarm for result in results]


def alone(policy: Policy, drive: Drive) -> list[bool]:
    """Alarms of a stream that saw these frames alone."""
    return alarms(play(policy, drive))


@given(flags, st.integers(1, 4), st.integers(0, 4), st.data())
def test_stream_stamps_out_of_order_within_a_second_keep_the_evidence(
    strange: list[bool], k: int, more: int, data: st.DataObject
) -> None:
    """Against a window that counts frames in the order in which they came, whatever their stamps."""
    late = data.draw(st.lists(st.sampled_from([0, 0, 0, 150, 290]), min_size=len(strange), max_size=len(strange)))
    stamps = [EPOCH + i * TENTH - delay * 10**6 for i, delay in enumerate(late)]
    results = play(KOfN(k, k + more), zip(stamps, strange, strict=True))
    assume(not any(result.verdict.state is State.INVALID for result in results))
    expected = [sum(strange[max(0, i + 1 - k - more) : i + 1]) >= k for i in range(len(strange))]
    assert alarms(results) == expected
    assert {result.history for result in results[1:]} <= {History.CONTINUES}


@settings(max_examples=examples(30))
@pytest.mark.parametrize("policy", POLICIES)
@given(
    strange=flags,
    at=st.integers(0, 39),
    wrong=st.sampled_from([4_294_967_295 * SECOND, 1, 2**63 - 1, EPOCH + 9 * SECOND]),
)
def test_stream_one_wrong_stamp_leaves_the_evidence_of_the_other_frames(
    policy: Policy, strange: list[bool], at: int, wrong: int
) -> None:
    """One stamp of the year 2106, say: the frames around it add up as if it had not come."""
    drive = [(EPOCH + i * TENTH, each) for i, each in enumerate(strange)]
    expected = alone(policy, drive)
    at = min(at, len(strange))
    assume(at > 0 and not expected[at - 1])
    results = play(policy, [*drive[:at], (wrong, False), *drive[at:]])
    assert results[at].restarted
    assert alarms(results[:at] + results[at + 1 :]) == expected


@settings(max_examples=examples(30))
@pytest.mark.parametrize("policy", POLICIES)
@given(strange=flags, others=flags, apart=st.integers(1_500, 400_000), behind=st.booleans())
def test_stream_two_publishers_on_one_name_count_apart(
    policy: Policy, strange: list[bool], others: list[bool], apart: int, behind: bool
) -> None:
    """Evidence is neither wiped nor counted twice: an alarm stands where that of one publisher alone would."""
    count = min(len(strange), len(others))
    offset = (-1 if behind else 1) * apart * 10**6
    first = [(EPOCH + i * TENTH, each) for i, each in enumerate(strange[:count])]
    second = [(EPOCH + i * TENTH + offset, each) for i, each in enumerate(others[:count])]
    results = play(policy, itertools.chain.from_iterable(zip(first, second, strict=True)))
    assume(not results[0].alarm)  # a standing alarm goes over to what seems to be the next recording
    one, two = alone(policy, first), alone(policy, second)
    expected = [a or b for i in range(count) for a, b in ((one[i], i > 0 and two[i - 1]), (one[i], two[i]))]
    assert alarms(results) == expected
    assert {result.history for result in results[2:]} <= {History.OTHER_CLOCK}
    assert not any(result.verdict.state is State.INVALID for result in results)


@settings(max_examples=examples(30))
@pytest.mark.parametrize("policy", POLICIES)
@given(before=flags, after=flags, gap=st.integers(2, 10**6), sign=st.sampled_from([-1, 1]))
def test_stream_gap_or_step_begins_anew_unless_an_alarm_stands(
    policy: Policy, before: list[bool], after: list[bool], gap: int, sign: int
) -> None:
    drive = [(EPOCH + i * TENTH, each) for i, each in enumerate(before)]
    start = drive[-1][0] + sign * gap * SECOND
    later = [(start + i * TENTH, each) for i, each in enumerate(after)]
    assume(len(before) < 10 * gap or sign > 0)  # else the stamps come back into those of before
    results = play(policy, [*drive, *later])
    restart = results[len(before)]
    assert restart.history is (History.AFTER_GAP if sign > 0 else History.AFTER_STEP)
    assert restart.restarted
    if not results[len(before) - 1].alarm:
        assert alarms(results[len(before) :]) == alone(policy, later)
    elif after[0]:
        assert restart.alarm
        assert not restart.onset


@settings(max_examples=examples(30))
@pytest.mark.parametrize("policy", POLICIES)
@given(
    stamps=st.lists(
        st.none() | st.integers(-5, 2**63 + 5) | st.integers(0, 50).map(lambda i: EPOCH + i * 2 * TENTH),
        min_size=1,
        max_size=60,
    ),
    data=st.data(),
)
def test_stream_any_stamps_never_lower_an_alarm_for_a_frame_out_of_distribution(
    policy: Policy, stamps: list[int | None], data: st.DataObject
) -> None:
    strange = data.draw(st.lists(st.sampled_from([True, True, False]), min_size=len(stamps), max_size=len(stamps)))
    results = play(policy, zip(stamps, strange, strict=True))
    for before, result in itertools.pairwise(results):
        assert result.alarm or not (before.alarm and result.verdict.is_ood)
        assert 0 <= result.verdict.stamp_ns < 2**63
        json.dumps(result.asdict(), allow_nan=False)
    assert [result.index for result in results] == list(range(len(results)))


@settings(max_examples=examples(40))
@pytest.mark.parametrize("policy", [KOfN(3, 5), KOfN(8, 12), MinimumDuration(0.5, 0.5)])
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["random", "back", "back fast", "loop", "stand"]))
def test_stream_clock_that_keeps_going_back_is_invalid_and_hides_nothing(policy: Policy, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    stamps = {
        "random": rng.integers(0, 2**62, 60),
        "back": EPOCH - np.arange(60) * rng.integers(1, SECOND),
        "back fast": EPOCH - np.arange(60) * rng.integers(SECOND, 100 * SECOND),
        "loop": EPOCH + np.arange(60) % rng.integers(2, 5) * 2 * SECOND,
        "stand": np.full(60, rng.integers(1, 2**62)),
    }[kind]
    results = play(policy, [(int(t), True) for t in stamps])
    assert results[-1].alarm
    first = next(result for result in results if result.verdict.state is State.INVALID)
    words = {"stand": ["stands still"], "loop": ["stands still", "goes back"]}.get(kind, ["goes back"])
    assert any(f"the clock {word}" in first.verdict.reason.replace(" of the camera", "") for word in words)
    familiar = play(policy, [(int(t), False) for t in stamps])
    assert sum(result.verdict.state is State.INVALID for result in familiar) >= 8


def test_stream_clock_that_works_again_is_valid_again() -> None:
    stamps = [*(EPOCH - i * SECOND for i in range(20)), *(EPOCH + i * TENTH for i in range(30))]
    results = play(KOfN(3, 5), [(t, False) for t in stamps])
    assert results[19].alarm
    assert not any(result.verdict.state is State.INVALID for result in results[23:])
    assert not results[-1].alarm


@given(
    first=st.lists(st.integers(-90, -5), min_size=1, max_size=4),
    second=st.lists(st.integers(-90, -5), min_size=1, max_size=4),
)
def test_stream_two_publishers_whose_clocks_were_set_are_valid_again(first: list[int], second: list[int]) -> None:
    """Each steps back a few times within ten frames; ten frames later both clocks run, and so do both alarms."""
    drive, offsets = [], [0, 2000]
    for i in range(60):
        for publisher, steps in enumerate((first, second)):
            if 20 <= i < 20 + len(steps):
                offsets[publisher] += steps[i - 20]
            drive.append((EPOCH + i * TENTH + offsets[publisher] * SECOND, i >= 50))
    results = play(KOfN(3, 5), drive)
    assert not any(result.verdict.state is State.INVALID for result in results[2 * 26 :])
    assert not any(alarms(results)[2 * 32 : 100])
    assert alarms(results).index(True, 2 * 32) <= 100 + 2 * 3


@pytest.mark.parametrize("step", [-0.9, -0.5, -2.0, 3600.0])
def test_stream_one_step_of_the_clock_costs_a_duration_one_window_at_most(step: float) -> None:
    stamps = [EPOCH + i * TENTH + (round(step * SECOND) if i >= 8 else 0) for i in range(40)]
    results = play(MinimumDuration(0.5, 0.5), [(t, i >= 6) for i, t in enumerate(stamps)])
    assert not any(result.verdict.state is State.INVALID for result in results)
    assert alarms(results).index(True) <= 8 + 6


@pytest.mark.parametrize("clock", [0.0, 1_700_000_000.0])
def test_stream_header_that_is_not_filled_in_gets_the_time_of_receipt(
    clock: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros after a 0 or after a time of day; a first 0 is the start of a recording."""
    now = itertools.count(EPOCH, TENTH)
    monkeypatch.setattr(time, "time_ns", lambda: next(now))
    results = play(MinimumDuration(0.5, 0.5), [(round(clock * SECOND), True), *[(0, True)] * 30])
    assert results[0].verdict.stamp_ns == round(clock * SECOND)
    assert all(result.verdict.stamp_ns >= EPOCH for result in results[1:])
    assert not any(result.verdict.state is State.INVALID for result in results)
    assert 1 < alarms(results).index(True) < 9


def test_stream_recording_that_starts_at_zero_again_is_kept() -> None:
    results = play(KOfN(1, 1), [(i % 30 * TENTH, False) for i in range(60)])
    assert [result.verdict.stamp_ns for result in results] == [i % 30 * TENTH for i in range(60)]
    assert [result.index for result in results if result.restarted] == [30]


@given(st.integers(2**63, 2**70) | st.integers(-(2**70), -1), st.integers(0, 9))
def test_stream_stamp_that_no_clock_gives_is_invalid(wrong: int, at: int) -> None:
    stamps = [EPOCH + i * TENTH for i in range(10)]
    stamps[at] = wrong
    stream = Stream(MONITOR, KOfN(3, 5))
    results = play(KOfN(3, 5), [(t, False) for t in stamps], stream)
    assert [result.index for result in results if result.verdict.state is State.INVALID] == [at]
    assert f"got {wrong}" in results[at].verdict.reason
    assert stream.summary().clock_faults == 1
    assert not any(result.restarted for result in results[2:])


@pytest.mark.parametrize("wrong", [1.7e9, 1.7e18, math.nan, math.inf, "1700", np.float64(3)])
def test_stream_stamp_that_is_no_integer_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"integer of nanoseconds, got .*: multiply seconds by 10\*\*9 and round"):
        Stream(MONITOR, KOfN()).assess(score_frame(0.0), stamp_ns=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int32])
def test_stream_stamp_of_numpy_is_written_as_json(kind: type[np.integer]) -> None:
    results = play(KOfN(1, 1), [(kind(5), True), (kind(6), True)])  # type: ignore[list-item]
    written = [json.loads(json.dumps(result.asdict())) for result in results]
    assert [(each["stamp_ns"], each["since_ns"], each["history"]) for each in written] == [
        (5, 5, "begins"),
        (6, 5, "continues"),
    ]


def test_stream_frame_that_comes_twice_counts_once() -> None:
    stream = Stream(MONITOR, KOfN(2, 2))
    frames = [score_frame(2.0, 1), score_frame(2.0, 1), score_frame(2.0, 2)]
    results = [stream.assess(frame, stamp_ns=t) for frame, t in zip(frames, (5, 5, 6), strict=True)]
    assert [result.history for result in results] == [History.BEGINS, History.REPEATED, History.CONTINUES]
    assert alarms(results) == [False, False, True]
    assert int(stream.drift().counts.sum()) == 2
    assert stream.summary().repeated == 1


@settings(max_examples=examples(15))
@pytest.mark.parametrize("frames_per_second", [5, 10, 30])
@pytest.mark.parametrize("repeats", [1, 2, 5])
@given(frozen_after=st.floats(0.3, 2.0))
def test_stream_camera_is_frozen_by_time(frames_per_second: int, repeats: int, frozen_after: float) -> None:
    """Images that are shown several times, as a slow camera in a fast container, are not frozen; one that stays is."""
    step = SECOND // frames_per_second
    assume(repeats * step < frozen_after * SECOND)
    stream = Stream(MONITOR, KOfN(3, 5), frozen_after_s=frozen_after)
    images = [i // repeats for i in range(20 * repeats)] + [-1] * 100
    results = [stream.assess(score_frame(0.0, image), stamp_ns=(i + 1) * step) for i, image in enumerate(images)]
    frozen = [i - 20 * repeats for i, result in enumerate(results) if result.verdict.state is State.INVALID]
    first = max(2, math.ceil(round(frozen_after * SECOND) / step))
    assert frozen[0] in (first, first + 1)  # the time may be rounded up or down
    assert frozen == list(range(frozen[0], 100))
    assert "the camera is frozen" in results[-1].verdict.reason
    assert stream.summary().frozen == len(frozen)
    assert results[-1].alarm
    never = Stream(MONITOR, KOfN(3, 5), frozen_after_s=None)
    assert not any(never.assess(score_frame(0.0), stamp_ns=i * SECOND).verdict.is_ood for i in range(20))


def test_stream_restarts_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lsood_runtime"):
        play(KOfN(3, 5), [(t * SECOND, False) for t in (100, 101, 102, 900, 901, 500)])
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "at frame 3, stamp 900000000000 ns: no frame came for longer" in messages[0]
    assert "the clock was set back, or another recording begins" in messages[1]


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 5))
def test_stream_gap_within_the_window_keeps_the_evidence(frames_per_second: int, k: int, more: int) -> None:
    """A gap is judged by the usual interval: a slow camera has none, and a few lost frames are none."""
    step, n = SECOND // frames_per_second, k + more
    stamps: Sequence[int] = np.cumsum([step] * 12 + [min(n, 5) * step] + [step] * 12).tolist()
    results = play(KOfN(k, n), [(EPOCH + t, i >= 12 - k + 1) for i, t in enumerate(stamps)])
    assert alarms(results).index(True) == 12
    assert not any(result.restarted for result in results[3:])
