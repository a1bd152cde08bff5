# SPDX-License-Identifier: Apache-2.0
"""Counts of a day: the same however the day is cut and in whatever order its parts are merged, and those of numpy."""

import math
from collections import Counter
from copy import deepcopy
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime import DailySummary, History, MediaError, State
from lsood_runtime._fleet.daily_summary import merged_summaries, summary_day
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._fleet.summary_counts import P_VALUE_EDGES, QUALITY_EDGES
from tests.lsood_runtime.fleet.drawn_summaries import DAY, FRAMES, START_NS, summary_of


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, cut=st.integers(0, 30))
def test_day_cut_in_two_and_merged_is_the_whole_day(frames: list[FrameFacts], cut: int) -> None:
    first, second, whole = summary_of(frames[:cut]), summary_of(frames[cut:]), summary_of(frames)
    first.merge(second)
    assert first == whole


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(FRAMES, min_size=3, max_size=3))
def test_merging_is_associative_and_commutative(parts: list[list[FrameFacts]]) -> None:
    def merged(*summaries: DailySummary) -> DailySummary:
        whole = deepcopy(summaries[0])
        for summary in summaries[1:]:
            whole.merge(summary)
        return whole

    a, b, c = map(summary_of, parts)
    assert merged(merged(a, b), c) == merged(a, merged(b, c)) == merged(c, b, a)
    assert merged(a, summary_of([])) == a == merged(summary_of([]), a)


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES)
def test_counts_are_those_of_numpy(frames: list[FrameFacts]) -> None:
    counts = summary_of(frames).counts
    once = [frame for frame in frames if frame.history is not History.REPEATED]
    valid = [frame for frame in once if frame.state is not State.INVALID]
    assert (counts.frames, counts.valid_frames, counts.repeated) == (len(once), len(valid), len(frames) - len(once))
    assert {state: count for state, count in counts.states.items() if count} == Counter(f.state.value for f in once)
    p_values = np.array([frame.p_value for frame in valid])
    below = [int((p_values <= edge).sum()) for edge in P_VALUE_EDGES]
    assert np.cumsum(counts.p_values).tolist() == below
    known = np.array([f.quality for f in valid if f.quality is not None and not math.isnan(f.quality)])
    assert np.cumsum(counts.qualities).tolist() == [int((known <= edge).sum()) for edge in QUALITY_EDGES]
    told = [frame for frame in valid if frame.quality is not None]
    assert counts.quality_unknown == len(told) - len(known)
    assert counts.causes == Counter(frame.cause for frame in valid if frame.cause is not None)
    objects = [frame.objects for frame in valid if frame.objects is not None]
    assert counts.objects == sum(count for count in objects if count > 0)
    assert (counts.object_frames, counts.objects_unknown) == (sum(c > 0 for c in objects), objects.count(-1))
    assert counts.objects_known == len(objects) - objects.count(-1)
    alarmed = [frame for frame in once if frame.alarm]
    assert (counts.alarm_frames, counts.alarms) == (len(alarmed), sum(frame.onset for frame in alarmed))
    assert counts.late == sum(frame.is_late for frame in once)
    assert counts.quality_alarms == sum(frame.quality_onset for frame in once)
    stamps = {since: [f.stamp_ns for f in alarmed if f.since_ns == since] for since in {f.since_ns for f in alarmed}}
    assert counts.alarm_seconds == sum(max(of) - min(of) for of in stamps.values()) / 1e9


def test_p_values_of_a_calibration_of_any_size_lie_below_the_edge_that_they_equal() -> None:
    """k/n is the nearest float to a decimal edge, as the edge's own literal is."""
    for size in range(1, 1001):
        for edge in P_VALUE_EDGES:
            rank = round(edge * size)
            if rank and abs(rank - edge * size) < 1e-9:
                counts = summary_of([FrameFacts("front", START_NS, 1.5, State.OK, p_value=rank / size)]).counts
                assert counts.p_values[P_VALUE_EDGES.index(edge)] == 1, (rank, size)


def test_alarm_over_midnight_is_counted_in_the_day_that_raised_it_and_lasts_in_both() -> None:
    def alarm(offset_s: int, *, onset: bool = False) -> FrameFacts:
        since_ns, stamp_ns = START_NS - 20 * 10**9, START_NS + offset_s * 10**9
        return FrameFacts(
            "front", stamp_ns, 1.5, State.OK, p_value=0.5, followed=True, alarm=True, onset=onset, since_ns=since_ns
        )

    before = summary_of([alarm(-20, onset=True), alarm(-5)]).counts
    after = summary_of([alarm(0), alarm(30)]).counts
    assert (before.alarms, before.alarm_seconds) == (1, 15)
    assert (after.alarms, after.alarm_seconds) == (0, 30)


@pytest.mark.parametrize("name", ["vehicle", "camera", "day", "bundle", "threshold"])
def test_summaries_of_other_keys_never_merge(name: str) -> None:
    other = summary_of([])
    setattr(other, name, {"day": DAY + timedelta(1), "threshold": 2.0}.get(name, "b" * 64))
    with pytest.raises(MediaError, match="merge those of one vehicle, camera, day, bundle and threshold"):
        summary_of([]).merge(other)
    with pytest.raises(TypeError, match="expected a DailySummary, got 3"):
        other.merge(3)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.lists(st.tuples(st.sampled_from("abc"), FRAMES), max_size=4), max_size=4))
def test_merged_sequences_hold_each_key_once_and_leave_what_was_given(
    parts: list[list[tuple[str, list[FrameFacts]]]],
) -> None:
    runs = [
        list({name: summary_of(frames, name) for name, frames in sorted(part, key=lambda p: p[0])}.values())
        for part in parts
    ]
    before = deepcopy(runs)
    merged = list(merged_summaries(runs))
    assert runs == before
    names = sorted({summary.vehicle for run in runs for summary in run})
    assert [summary.vehicle for summary in merged] == names
    for summary in merged:
        of_name = [each for run in runs for each in run if each.vehicle == summary.vehicle]
        assert summary.counts.frames == sum(each.counts.frames for each in of_name)
        assert summary.counts.p_values == np.sum([each.counts.p_values for each in of_name], axis=0).tolist()


@pytest.mark.parametrize(
    ("stamp_ns", "day"),
    [
        (START_NS, DAY),
        (START_NS - 1, DAY - timedelta(1)),
        (START_NS + 86_400 * 10**9 - 1, DAY),
        (0, None),
        (12_300_000_000, None),
        (-5, None),
        (2**63, None),
        (2**63 - 1, date(2262, 4, 11)),
    ],
)
def test_day_of_a_stamp_is_that_of_its_time_in_utc(stamp_ns: int, day: date | None) -> None:
    assert summary_day(stamp_ns) == day
