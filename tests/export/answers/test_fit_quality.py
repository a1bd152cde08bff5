# SPDX-License-Identifier: Apache-2.0
"""What is said of frames far from everything seen holds for harmless ones as for degraded ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.answers.fit_quality import JudgedQuality, fit_quality
from export.answers.rows import DegradedRows
from tests.export.answers.drawn_rows import draw_rows

RATE = 0.05


def _most(rows: DegradedRows, novelty: NDArray[np.float64]) -> float:
    """The bound of rows whose quality is told as 0.7 each."""
    judged = JudgedQuality(np.full(len(rows), 0.7), novelty)
    _, record = fit_quality(rows, np.zeros((len(rows), 1)), (1,), (True,), judged, 1.0)
    return record.at_most


def _far_where_degraded(rows: DegradedRows) -> NDArray[np.float64]:
    return np.where(rows.severity >= 4, 2.0, 0.5)


def test_at_most_holds_for_new_clean_frames_at_the_stated_rate() -> None:
    above = []
    for seed in range(20):
        rows, new = draw_rows(seed, 12), draw_rows(seed + 1000, 12)
        assert new.quality is not None
        above.append((new.quality > _most(rows, _far_where_degraded(rows)))[new.kind == "none"].mean())
    deviation = np.std(above) / np.sqrt(len(above))
    assert np.mean(above) <= RATE + 2 * deviation
    assert np.mean(above) > 0  # the bound says something


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_at_most_is_above_all_but_the_stated_share_of_clean_degraded_and_far_frames(seed: int, harm: float) -> None:
    rows = draw_rows(seed, 12)
    assert rows.quality is not None
    quality = np.clip(rows.quality - harm * np.random.default_rng(seed).random(len(rows)), 0, 1)
    novelty = np.random.default_rng(seed).choice([0.5, 2.0], len(rows))
    most = _most(replace(rows, quality=quality), novelty)
    for group in (rows.kind == "none", rows.kind != "none", novelty > 1):
        assert np.sum(quality[group] > most) <= RATE * group.sum()


def test_at_most_of_the_agreement_says_nothing_since_clean_frames_agree_with_themselves() -> None:
    rows = draw_rows(0, 12)
    assert rows.quality is not None
    quality = np.where(rows.kind == "none", 1.0, 0.9 * rows.quality)
    assert _most(replace(rows, quality=quality), _far_where_degraded(rows)) == 1


@pytest.mark.parametrize("far", [0, 3, 18])
def test_at_most_of_few_frames_far_from_everything_is_one(far: int) -> None:
    rows = draw_rows(0, 12)
    assert _most(rows, np.where(np.arange(len(rows)) < far, 2.0, 0.5)) == 1
