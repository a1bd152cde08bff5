# SPDX-License-Identifier: Apache-2.0
"""What the parity gate lets pass and what it refuses, given measured differences and a measured floor."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.parity import Comparison, Difference
from export.bundle.parity_check import FLOOR_FRAMES, MOST, MOST_TIES, Tolerances, check_parity
from export.bundle.rounding_floor import FACTOR, RoundingFloor, UnknownFloorError
from export.calibration.calibrate import SCORE_TOLERANCE
from export.errors import ParityError
from lsood_runtime.offline import FloorRecord, ParityRecord

PIXELS = 1000
USUAL = Tolerances(score=0.02)


def difference(frame: int = 0, *, flipped: Sequence[float] = (), paired: bool = False, **values: float) -> Difference:
    good: dict[str, Any] = {"latent": 0.0, "logits": 0.0, "score": 0.0}
    margins = np.array(flipped, np.float32)
    pixels = 0 if "logits" in values else PIXELS
    return Difference(**(good | values), flipped=margins, pixels=pixels, frame=frame, paired=paired)


def comparison(*differences: Difference, frames: int = 3) -> Comparison:
    return Comparison("classes", [np.zeros((1, 2, 4, 3), np.uint8)] * frames, [()] * frames, [], differences)


def measured(floor: RoundingFloor, _: Sequence[int]) -> RoundingFloor:
    return floor


def never(_: Sequence[int]) -> RoundingFloor:
    raise AssertionError("nothing is above its usual tolerance")


@pytest.mark.parametrize("part", ["latent", "logits", "score"])
@pytest.mark.parametrize("value", [1.0, float("nan")])
def test_check_parity_of_one_large_difference_is_refused(part: str, value: float) -> None:
    check_parity(comparison(difference()), USUAL, never, list)
    changes: dict[str, Any] = {part: value}
    shown = comparison(difference(), difference(1, **changes))
    for floor in (RoundingFloor(), RoundingFloor(2, 1e-6, 1e-6, 1e-6)):
        with pytest.raises(ParityError, match="no bundle was written"):
            check_parity(shown, USUAL, partial(measured, floor), list)
    assert SCORE_TOLERANCE < 0.05


@given(
    latent=st.floats(0, 1e-2),
    segmentation=st.floats(0, 0.1),
    score=st.floats(0, 1),
    floor=st.tuples(st.floats(0, 1e-2), st.floats(0, 0.1), st.floats(0, 1)),
)
def test_check_parity_passes_what_is_within_the_usual_tolerance_or_a_multiple_of_the_floor_within_a_bound(
    latent: float, segmentation: float, score: float, floor: tuple[float, float, float]
) -> None:
    known = RoundingFloor(1, *floor)
    allowed = [
        max(usual, min(FACTOR * rounding, MOST * usual))
        for usual, rounding in zip((1e-4, 1e-3, 0.02), floor, strict=True)
    ]
    shares = [value / most for value, most in zip((latent, segmentation, score), allowed, strict=True)]
    if any(abs(share - 1) < 1e-6 for share in shares):
        return  # which side rounding puts it on is of no interest
    shown = comparison(difference(latent=latent, logits=segmentation, score=score))
    if max(shares) <= 1:
        record = check_parity(shown, USUAL, lambda _: known, list)
        assert (record.latent_max_abs, record.segmentation_disagreement, record.score_max_abs) == (
            latent,
            segmentation,
            score,
        )
    else:
        with pytest.raises(ParityError, match="disagrees with the PyTorch network"):
            check_parity(shown, USUAL, lambda _: known, list)


def test_check_parity_measures_the_floor_on_the_frames_that_differ_most_and_records_it() -> None:
    asked: list[Sequence[int]] = []

    def measure(frames: Sequence[int]) -> RoundingFloor:
        asked.append(frames)
        return RoundingFloor(len(frames), 5e-5, 2e-3, 0.01, margin=0.1, ties=0.004)

    shown = comparison(
        difference(0, latent=1.1e-4), difference(1, flipped=[0.01] * 5 + [0.5] * 3), difference(2, score=0.021)
    )
    record = check_parity(shown, USUAL, measure, list)
    assert asked == [[1, 0]]
    assert len(asked[0]) == FLOOR_FRAMES
    floor = FloorRecord(2, 5e-5, 2e-3, 0.01, near_ties=0.004, firm_disagreement=3 / PIXELS)
    assert record == ParityRecord(3, 1.1e-4, 8 / PIXELS, 0.021, floor)


@pytest.mark.parametrize(("ties", "passes"), [(0.05, True), (MOST_TIES * 1.01, False)])
def test_check_parity_leaves_near_ties_out_unless_they_are_many(ties: float, passes: bool) -> None:
    shown = comparison(difference(flipped=[0.01] * 200 + [0.5]))
    floor = RoundingFloor(1, margin=0.1, ties=ties)
    if passes:
        assert check_parity(shown, USUAL, lambda _: floor, list).segmentation_disagreement == pytest.approx(0.201)
        return
    with pytest.raises(ParityError, match="near a tie of two classes, as of a network without training"):
        check_parity(shown, USUAL, lambda _: floor, list)


def test_check_parity_counts_a_pixel_whose_margin_is_not_a_number() -> None:
    shown = comparison(difference(flipped=[np.nan] * 3))
    with pytest.raises(ParityError, match="segmentation classes"):
        check_parity(shown, USUAL, lambda _: RoundingFloor(1, margin=0.1), list)


def test_check_parity_names_what_may_be_the_cause() -> None:
    alone, paired = difference(0), difference(0, latent=0.5, paired=True)
    with pytest.raises(ParityError, match="frames of a batch are mixed"):
        check_parity(comparison(alone, paired), USUAL, lambda _: RoundingFloor(1), list)
    with pytest.raises(ParityError, match=r"by 0\.01 between float32 and float64; index flips"):
        check_parity(
            comparison(difference(latent=0.5)), USUAL, lambda _: RoundingFloor(1, latent=0.01), lambda: ["index flips"]
        )

    def unknown(_: Sequence[int]) -> RoundingFloor:
        raise UnknownFloorError("the network does not run in float64")

    with pytest.raises(ParityError, match="rounding is not known: the network does not run in float64; no bundle"):
        check_parity(comparison(difference(latent=0.5)), USUAL, unknown, list)
