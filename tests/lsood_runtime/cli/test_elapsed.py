# SPDX-License-Identifier: Apache-2.0
"""Times of a drive: their texts, and an axis on which no stray stamp takes the place of the frames."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lsood_runtime._cli.elapsed import DriveTime, describe_start, elapsed

TENTH = 10**8


@given(st.integers(0, 10**9), st.integers(0, 3))
def test_elapsed_of_any_time_reads_back(thousandths: int, decimals: int) -> None:
    seconds = thousandths / 1000
    text = elapsed(seconds, decimals)
    days, _, clock = text.rpartition(" d ")
    parts = [float(part) for part in clock.split(":")]
    back = sum(part * 60**i for i, part in enumerate(reversed(parts))) + 86400 * int(days or 0)
    assert back == pytest.approx(seconds, abs=0.51 / 10**decimals)
    assert all(part < 60 for part in parts[1:])
    assert elapsed(-seconds, decimals) == ("-" + text if thousandths else text)


@given(st.integers(10**17, 2**63 - 1))
def test_start_of_a_stamp_with_a_date_is_named(stamp: int) -> None:
    text = describe_start(stamp)
    read = datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.fromtimestamp(stamp // 10**9, UTC) - read < timedelta(seconds=1)


@pytest.mark.parametrize("stamp", [0, -1, 10**17 - 1, 2**63])
def test_start_of_a_stamp_without_a_date_is_not_named(stamp: int) -> None:
    assert describe_start(stamp) == ""


@given(st.integers(-(2**62), 2**62), st.lists(st.integers(0, 10**10), min_size=1, max_size=50))
def test_drive_time_of_an_unbroken_drive_is_seconds_from_the_first(first: int, offsets: list[int]) -> None:
    stamps = [first + offset for offset in offsets]
    time = DriveTime(stamps)
    assert time.cuts == []
    assert time.place(stamps) == pytest.approx([(stamp - min(stamps)) / 1e9 for stamp in stamps], abs=1e-6)
    places, texts = time.ticks()
    assert places == sorted(places)
    assert len(places) == len(texts) <= 13
    assert all(-1e-6 <= place <= time.end + 1e-6 for place in places)


@given(
    st.integers(2, 300),
    st.integers(0, 2**60),
    st.lists(st.integers(1, 10**9).map(lambda s: s * 10**9), min_size=1, max_size=4),
)
def test_drive_time_with_drives_far_apart_cuts_what_lies_between(count: int, first: int, pauses: list[int]) -> None:
    """Each drive keeps its length and a cut is narrow, so that a stamp of another century hides nothing."""
    length = (count - 1) * TENTH / 1e9
    starts = [first]
    for pause in pauses:
        starts.append(starts[-1] + count * TENTH + pause)
    drives = [[start + i * TENTH for i in range(count)] for start in starts]
    time = DriveTime(stamp for drive in drives for stamp in drive)
    covered = length * len(drives)
    long = [pause for pause in pauses if (pause + TENTH) / 1e9 > max(10.0, covered)]
    assert len(time.cuts) == (len(long) if len(long) == len(pauses) else len(time.cuts))
    for drive in drives:
        assert np.ptp(time.place(drive)) == pytest.approx(length, abs=1e-5)
    if len(long) == len(pauses):
        assert time.end < covered * 1.5 + 1
        places, texts = time.ticks()
        firsts = [time.place([drive[0]])[0] for drive in drives[1:]]
        assert all(np.abs(np.array(places) - place).min() < 1e-6 for place in firsts), "each drive's start has a tick"
        assert len(texts) <= 14 + len(drives)


@example(0, [(1, 0), (143, 359_996), (1, 0)], 14_883_746)  # a long text beside a short one
@given(
    st.integers(0, 2**60),
    st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 10**8)), min_size=1, max_size=6),
    st.integers(1, 10**9),
)
def test_drive_time_texts_of_ticks_never_overlap(first: int, drives: list[tuple[int, int]], step_ns: int) -> None:
    """The axis is 11.2 inches wide; a letter of the default font takes at most a tenth of an inch."""
    stamps, start = list[int](), first
    for count, pause_s in drives:
        stamps += [start + i * step_ns for i in range(count)]
        start = stamps[-1] + (pause_s + 1) * 10**9
    time = DriveTime(stamps)
    places, texts = time.ticks()
    assert places
    assert places == sorted(places)
    for i in range(1, len(places)):
        letters = (len(texts[i - 1]) + len(texts[i])) / 2
        assert (places[i] - places[i - 1]) / (1.02 * time.end) * 11.2 >= letters * 0.075, (places, texts)


def test_drive_time_of_another_clock_begins_where_the_axis_begins() -> None:
    time = DriveTime([10**18, 10**18 + 10**10])
    other = time.starting(5)
    assert other.place([5, 5 + 10**9]).tolist() == time.place([10**18, 10**18 + 10**9]).tolist() == [0.0, 1.0]
    assert time.first_ns == 10**18


def test_drive_time_of_one_stamp_has_a_place_and_a_tick() -> None:
    time = DriveTime([5])
    assert (time.place([5]).tolist(), time.end, time.cuts) == ([0.0], 0.0, [])
    assert time.ticks()[0] == [0.0]
