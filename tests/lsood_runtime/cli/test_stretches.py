# SPDX-License-Identifier: Apache-2.0
"""Frames that are merged: what is kept of them."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from lsood_runtime import State
from lsood_runtime._cli.stretches import Point, Stretches

POINTS = st.builds(
    Point,
    stamp_ns=st.integers(0, 2**62),
    score=st.floats(-1e6, 1e6) | st.just(math.inf),
    state=st.sampled_from(State),
    alarm=st.booleans(),
    late=st.booleans(),
)


@given(st.lists(POINTS, max_size=200), st.integers(1, 8).map(lambda half: 2 * half))
def test_stretches_of_any_drive_keep_extremes_states_and_alarms(points: list[Point], limit: int) -> None:
    stretches = Stretches(limit)
    for point in points:
        stretches.add(point)
    assert len(stretches) <= limit
    if len(points) <= limit:
        assert [stretch.frames for stretch in stretches] == [1] * len(points)
    start = 0
    for stretch in stretches:
        own = points[start : start + stretch.frames]
        start += stretch.frames
        assert (stretch.first_ns, stretch.last_ns) == (own[0].stamp_ns, own[-1].stamp_ns)
        assert stretch.alarm == any(point.alarm for point in own)
        assert stretch.late == any(point.late or point.state is State.LATE for point in own)
        assert stretch.ranges == {
            state: (
                min(point.score for point in own if point.state is state),
                max(point.score for point in own if point.state is state),
            )
            for state in {point.state for point in own}
        }
    assert start == len(points)
    assert len({stretch.frames for stretch in list(stretches)[:-1]}) <= 1


@given(st.integers(1, 400), st.integers(1, 8).map(lambda half: 2 * half))
def test_stretches_of_any_length_keep_an_even_sample(count: int, limit: int) -> None:
    stretches = Stretches(limit)
    for i in range(count):
        stretches.add(Point(i, float(i), State.OK, False))
    steps = set()
    for stretch in stretches:
        places = [int(score) for score in stretch.sample]
        assert places[0] == stretch.first_ns
        assert len(places) <= 8
        assert places[-1] <= stretch.last_ns
        steps |= {b - a for a, b in itertools.pairwise(places)}
    assert len(steps) <= 1, "the same spacing everywhere"
    for stretch in stretches if steps else ():
        assert len(stretch.sample) == -(-stretch.frames // max(steps))


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=300))
def test_stretches_of_any_stamps_keep_the_longest_steps(stamps: list[int]) -> None:
    stretches = Stretches(4)
    for stamp in stamps:
        stretches.add(Point(stamp, 0.0, State.OK, False))
    steps = sorted((abs(b - a) for a, b in itertools.pairwise(stamps)), reverse=True)
    kept = stretches.longest_steps
    assert sorted((abs(b - a) for a, b in kept), reverse=True) == steps[:64]
    assert set(kept) <= set(itertools.pairwise(stamps))
