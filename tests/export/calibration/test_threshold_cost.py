# SPDX-License-Identifier: Apache-2.0
"""A loose promise asks for more data, in numbers that come true."""

import re

import numpy as np
import pytest

from export.calibration.conformal import find_threshold
from export.calibration.threshold_cost import margin, margin_advice, units_for_margin
from export.detectors.weighted_quantile import allowed_share, weigh_frames


def test_margin_is_what_the_rule_leaves_of_the_rate() -> None:
    for units in (19, 23, 70, 1000):
        assert margin(units, 0.05) == pytest.approx(1 - allowed_share(units, 0.05) / 0.05)
    assert units_for_margin(0.1, 0.05) == 190
    assert margin(units_for_margin(0.1, 0.05), 0.05) == pytest.approx(0.1)


def test_margin_advice_of_few_drives_names_how_many_more_and_they_suffice() -> None:
    rng = np.random.default_rng(0)
    drives = [f"{i}" for i in range(23) for _ in range(10)]
    scores = rng.normal(size=230)
    advice = margin_advice(scores, weigh_frames(drives, "drives", "frames"), 0.05)
    assert advice is not None
    assert advice.startswith("23 drives let the threshold spend 0.9% of the 5.0% false alarms")
    assert "takes 83% of them" in advice
    found = re.search(r"with (\d+) drives more it would take 10%", advice)
    assert found is not None
    assert margin(23 + int(found[1]), 0.05) <= 0.1 + 1e-9
    more = weigh_frames([f"{i}" for i in range(23 + int(found[1])) for _ in range(10)], "drives", "frames")
    assert margin_advice(rng.normal(size=len(more.frame)), more, 0.05) is None


def test_margin_advice_of_many_frames_is_none() -> None:
    scores = np.random.default_rng(0).normal(size=400)
    assert margin_advice(scores, weigh_frames(["x"] * 400, "frames", "frames"), 0.05) is None


def test_margin_advice_of_equal_scores_names_no_height() -> None:
    drives = [f"{i}" for i in range(20) for _ in range(5)]
    advice = margin_advice(np.ones(100), weigh_frames(drives, "drives", "drives"), 0.05)
    assert advice is not None
    assert "interquartile" not in advice


def test_threshold_weighed_by_frames_counts_a_drive_of_one_frame_as_one_frame() -> None:
    """Nineteen drives of one frame lie high, one of a hundred frames low: weighed alike, the small ones decide."""
    drives = [f"{i}" for i in range(19)] + ["long"] * 381
    scores = np.r_[np.full(19, 10.0), np.linspace(0, 1, 381)]
    by_frames = find_threshold(scores, weigh_frames(drives, "frames", "frames"), 0.05)
    by_drives = find_threshold(scores, weigh_frames(drives, "frames", "drives"), 0.05)
    assert by_frames <= 1 < by_drives
