# SPDX-License-Identifier: Apache-2.0
"""A hyper-parameter's size that leaves little of a frame is a guess, and is warned of; the flag that is printed ends it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from export.pipeline.found_size import find_size

SIDES = st.integers(16, 2000)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_find_size_of_a_hyper_parameter_is_doubted_where_little_is_left_of_a_frame(
    stated: tuple[int, int], frame: tuple[int, int]
) -> None:
    found = find_size(None, {"input_size": stated}, None, frame)
    assert (found.height, found.width) == stated
    sides = [whole / part for whole, part in zip(frame, stated, strict=True)]
    is_doubted = max(sides) > 5 or max(sides) > 2 * min(sides) * (1 + 1e-12)
    if max(sides) != 2 * min(sides):  # a tie is either
        assert found.finding.origin == ("guessed" if is_doubted else "found")
        assert bool(found.warnings) == is_doubted
    for warning in found.warnings:
        assert "the checkpoint's input_size makes frames of" in warning
        flag = re.search(r"--input-size (\d+) (\d+)", warning)
        assert flag is not None
        again = find_size((int(flag[1]), int(flag[2])), {"input_size": stated}, None, frame)
        assert ((again.height, again.width), again.warnings) == (frame, ())


def test_find_size_of_64_for_a_large_frame_says_how_much_smaller_it_gets() -> None:
    found = find_size(None, {"input_size": 64}, None, (1080, 1920))
    assert found.finding.origin == "guessed"
    assert found.finding.words == ("--input-size", "64", "64")
    assert "which makes frames of 1080 x 1920 (height x width) 30 times smaller, 64 x 64" in found.finding.reason


def test_find_size_of_usual_trainings_is_not_doubted() -> None:
    for stated, frame in [((256, 512), (1024, 2048)), ((512, 512), (1080, 1920)), ((224, 224), (720, 960))]:
        assert find_size(None, {"img_size": stated}, None, frame).warnings == ()
