# SPDX-License-Identifier: Apache-2.0
"""Causes that are calibrated by drives left out: sizes of cells and the limit of novelty."""

import numpy as np
import pytest

from export.answers.fit_causes import KNOWN, CalibratedCauses, fit_causes, judge_cells
from export.answers.left_out import drive_folds
from export.answers.rows import DegradedRows

NAMES = ("none", "fog", "lines")
WIDTH = 6


def calibrated(spread: float) -> tuple[CalibratedCauses, DegradedRows]:
    """Twelve drives of Gaussian frames, clean and in two kinds; frames with lines spread wider than the others."""
    rng, frames = np.random.default_rng(3), 60
    kind = np.repeat(NAMES, 4 * frames)
    severity = np.where(kind == "none", 0, np.tile(np.arange(4 * frames) % 2 + 2, 3))
    columns = rng.normal(size=(len(kind), WIDTH)) * np.where(kind == "lines", spread, 1.0)[:, None]
    columns[:, 0] += 9 * np.repeat(np.arange(3), 4 * frames)
    frame = np.tile(np.arange(4 * frames), 3)
    drive = np.array([f"d{number % 12}" for number in frame])
    rows = DegradedRows({}, kind, severity.astype(np.int64), drive, frame, None, None)
    judged = judge_cells(rows, columns, NAMES, drive_folds(rows, 4, 0))
    return fit_causes(rows, columns, NAMES, judged), rows


@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_fit_causes_gives_each_cell_the_size_of_its_spread(spread: float) -> None:
    causes, rows = calibrated(spread)
    assert set(causes.sizes) == {("none", 0), *((kind, level) for kind in ("fog", "lines") for level in (2, 3))}
    assert causes.cells.with_sizes(causes.sizes).sizes.tolist() == causes.cells.sizes.tolist()
    for level in (2, 3):
        ratio = causes.sizes["lines", level] / causes.sizes["fog", level]
        assert ratio == pytest.approx(spread**2, rel=0.35)
    assert causes.record.names == NAMES
    assert len(rows) == 720


def test_limit_of_novelty_calls_as_many_frames_of_a_wide_kind_known_as_of_any() -> None:
    causes, _ = calibrated(2.0)
    new = np.random.default_rng(4)
    for place, spread in ((0, 1.0), (1, 1.0), (2, 2.0)):
        columns = new.normal(size=(2000, WIDTH)) * spread
        columns[:, 0] += 9 * place
        known = np.mean(causes.cells.novelty(columns) <= causes.novelty_limit)
        assert known == pytest.approx(KNOWN, abs=0.02)
