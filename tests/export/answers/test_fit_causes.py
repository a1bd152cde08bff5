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


def test_share_of_clean_frames_that_are_called_so_is_that_of_new_drives_not_of_those_that_set_it() -> None:
    told, new = [], []
    for seed in range(12):
        rng, count = np.random.default_rng(seed), 6  # of drives, with two frames each: far too few for 98 %
        kind = np.repeat(NAMES, 2 * count)
        severity = np.where(kind == "none", 0, 2)
        columns = rng.normal(size=(len(kind), 2)) + 1.5 * np.repeat(np.arange(3), 2 * count)[:, None]
        frame = np.tile(np.arange(2 * count), 3)
        rows = DegradedRows({}, kind, severity, np.array([f"d{i // 2}" for i in frame]), frame, None, None)
        judged = judge_cells(rows, columns, NAMES, drive_folds(rows, count, 0))
        causes = fit_causes(rows, columns, NAMES, judged)
        told.append(causes.record.clean_kept)
        fresh = rng.normal(size=(500, 2))
        shares = causes.cells.causes(fresh)
        known = (causes.cells.novelty(fresh) <= causes.novelty_limit) & (
            shares.max(axis=1) >= causes.record.set_threshold
        )
        new.append(np.mean(known & (shares.argmax(axis=1) == 0)))
    assert np.mean(told) <= np.mean(new) + 3 * np.std(told) / np.sqrt(len(told))
