# SPDX-License-Identifier: Apache-2.0
"""What is kept of a stream is what sorting all of it gives, in any order and dealt to any number of parts."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lsood_runtime._select.scored_frame import ScoredFrame
from lsood_runtime._select.top_frames import TopFrames


def frame(number: int, drive: int, score: int) -> ScoredFrame:
    return ScoredFrame(
        str(number), str(drive), "", "", None, float(score), math.nan, "", 0, math.nan, np.zeros(1, np.float32)
    )


def naive(frames: list[ScoredFrame], most: int, per_drive: int) -> list[bytes]:
    """Sort all, take the first of each drive, then the first of those."""
    taken: dict[str, int] = {}
    kept = []
    for each in sorted(
        {frame.digest: frame for frame in frames}.values(), key=lambda frame: frame.key("score"), reverse=True
    ):
        taken[each.drive] = taken.get(each.drive, 0) + 1
        if taken[each.drive] <= per_drive:
            kept.append(each.digest)
    return kept[:most]


FRAMES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.integers(0, 6)), max_size=60)


@given(FRAMES, st.integers(1, 8), st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_kept_frames_are_those_of_a_sort_whatever_the_order_and_the_parts(
    drawn: list[tuple[int, int, int]], most: int, per_drive: int, parts: int, random: object
) -> None:
    frames = [frame(*numbers) for numbers in drawn]
    expected = naive(frames, most, per_drive)
    random.shuffle(frames)  # type: ignore[attr-defined]
    joined = TopFrames("score", most, per_drive)
    for part in range(parts):
        own = TopFrames("score", most, per_drive)
        for each in frames[part::parts]:
            own.add(each)
            assert len(own._heap) <= 2 * most + 17, "memory is bounded"
            assert sum(map(len, own._drives.values())) == len(own) <= most
        joined.merge(own)
    assert [each.digest for each in joined] == expected
    assert (joined.floor is None) == (len(expected) < most)
