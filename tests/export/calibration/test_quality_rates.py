# SPDX-License-Identifier: Apache-2.0
"""Intervals of the rate at which clean frames of new drives are below a smallest expected quality."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.calibration.quality_rates import with_rate_intervals
from export.calibration.rate_intervals import new_drives_interval
from lsood_runtime._bundle.answer_sentences import new_drives_words
from lsood_runtime.offline import RATE_CONFIDENCE, AnswersRecord, QualityRecord
from tests.export.evaluation.drawn_answers import drawn_record


def _record(lows: np.ndarray[tuple[int], np.dtype[np.float64]], drives: int, seed: int) -> AnswersRecord:
    order = np.argsort(lows)
    drive = np.random.default_rng(seed).permutation(np.arange(len(lows)) % drives)[order]
    record = drawn_record(("fog", "mud"))
    assert record.quality is not None
    quality = replace(record.quality, clean_low=tuple(lows[order].tolist()), clean_drives=tuple(drive.tolist()))
    return replace(record, quality=quality)


def _quality(record: AnswersRecord) -> QualityRecord:
    found = with_rate_intervals(record).quality
    assert found is not None
    return found


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 5), st.floats(0, 1))
def test_rate_interval_of_any_smallest_quality_is_that_of_an_operating_point_on_new_drives(
    seed: int, drives: int, each: int, smallest: float
) -> None:
    lows = np.random.default_rng(seed).uniform(0.1, 0.9, drives * each).round(2)
    quality = _quality(_record(lows, drives, seed))
    ends = quality.false_alarm_interval(smallest)
    assert ends is not None
    assert 0 <= ends[0] <= ends[1] <= 1
    low, drive = np.array(quality.clean_low), np.array(quality.clean_drives)
    if smallest <= low.max():
        weight = np.full(len(low), 1 / len(low))
        expected = new_drives_interval(-low, drive, weight, -smallest, RATE_CONFIDENCE)
        assert ends == pytest.approx((expected.low, expected.high))
        assert ends[0] <= (low < smallest).mean() + 1 / len(low)
        assert (low < smallest).mean() <= ends[1]
    words = new_drives_words(quality, smallest)
    assert words == f" (on new drives {ends[0]:.1%} to {ends[1]:.1%}, 95% interval)"


def test_rate_intervals_of_one_drive_are_none() -> None:
    quality = _quality(_record(np.linspace(0.2, 0.8, 12), 1, 0))
    assert quality.false_alarm_interval(0.4) is None
    assert new_drives_words(quality, 0.4) == ""


def test_rate_intervals_cover_the_rate_of_new_drives() -> None:
    covered = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        level = np.repeat(rng.normal(0.6, 0.06, 15), 3)
        lows = np.clip(level + rng.normal(0, 0.06, len(level)), 0, 1)
        record = _record(lows, 15, seed)
        order = np.argsort(lows)
        assert record.quality is not None
        drive = np.repeat(np.arange(15), 3)[order]
        quality = _quality(replace(record, quality=replace(record.quality, clean_drives=tuple(drive.tolist()))))
        ends = quality.false_alarm_interval(0.5)
        assert ends is not None
        true = float((rng.normal(0.6, 0.06, 4000) + rng.normal(0, 0.06, 4000) < 0.5).mean())
        covered.append(ends[0] <= true <= ends[1])
    assert np.mean(covered) >= 0.85
