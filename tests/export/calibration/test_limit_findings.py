# SPDX-License-Identifier: Apache-2.0
"""What a plan says beforehand of the limits of tiles and objects: the rate that holds, and what the wanted one takes."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from export.calibration.cutout_fit import map_groups
from export.calibration.limit_findings import limit_findings

BOTH = ("tiles", "map", "cause")


@pytest.mark.parametrize(
    ("frames", "drives", "tiles", "objects"),
    [
        (10, 2, "on at most 9.1% of clean frames of known drives", "on at most 16.7% of clean frames of known drives"),
        (60, 3, "on at most 5% of clean frames of known drives", "on at most 5% of clean frames of known drives"),
        (300, 100, "on at most 5% of clean frames of a new drive", "on at most 5% of clean frames of a new drive"),
        (300, 300, "on at most 5% of clean frames of a new drive", "on at most 1% of clean frames of a new drive"),
    ],
)
def test_findings_tell_the_rate_that_holds_and_how_many_drives_more_would_take(
    frames: int, drives: int, tiles: str, objects: str
) -> None:
    every = [f"drive{place * drives // frames}" for place in range(frames)]

    def names(places: NDArray[np.int64]) -> Sequence[str]:
        return [every[place] for place in places]

    first, second = limit_findings(np.arange(frames), names, BOTH, 0)
    judging = map_groups(every, 0)[1]
    assert (first.subject, first.value) == ("false tiles", tiles)
    assert second.subject == "false objects"
    assert f"by {frames} frames of {drives} drives" in first.reason
    assert f"by {judging.sum()} frames of {len(set(np.array(every)[judging]))} drive" in second.reason
    assert ("5% of a new drive takes 19 drives" in first.reason) == (drives < 19)
    if len(set(np.array(every)[judging])) >= 99:
        assert (second.value, "takes" in second.reason) == (objects, False)
    else:
        assert second.reason.endswith(
            "; 1% of a new drive takes 99 drives, about 248 in all, of which these are two in five"
        )
        assert second.value == objects or judging.sum() < 19


def test_findings_are_those_of_the_answers_that_are_wanted() -> None:
    def names(places: NDArray[np.int64]) -> Sequence[str]:
        return [str(place) for place in places]

    for wanted, subjects in ((("cause",), []), (("tiles",), ["false tiles"]), (("map",), ["false objects"])):
        assert [finding.subject for finding in limit_findings(np.arange(40), names, wanted, 0)] == subjects
