# SPDX-License-Identifier: Apache-2.0
"""Causes that are calibrated by drives left out: sizes of cells and the limit of novelty."""

import numpy as np
import pytest

from export.answers.cells import fit_cells
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
    return fit_causes(rows, columns, NAMES, judged, columns, judged), rows


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
        causes = fit_causes(rows, columns, NAMES, judged, columns, judged)
        told.append(causes.record.clean_kept)
        fresh = rng.normal(size=(500, 2))
        shares = causes.cells.causes(fresh)
        known = (causes.cells.novelty(fresh) <= causes.novelty_limit) & (
            shares.max(axis=1) >= causes.record.set_threshold
        )
        new.append(np.mean(known & (shares.argmax(axis=1) == 0)))
    assert np.mean(told) <= np.mean(new) + 3 * np.std(told) / np.sqrt(len(told))


@pytest.mark.parametrize("seed", range(3))
def test_novelty_is_the_larger_distance_of_the_columns_of_the_causes_and_of_all(seed: int) -> None:
    """Unit and limit against cells that are fitted fold by fold in the test; the causes are those of their own columns."""
    rng, count = np.random.default_rng(seed), 12
    kind = np.repeat(NAMES, 4 * count)
    severity = np.where(kind == "none", 0, 2)
    every = rng.normal(size=(len(kind), 5))
    every[:, :2] += 5 * np.repeat(np.arange(3), 4 * count)[:, None]
    frame = np.tile(np.arange(4 * count), 3)
    rows = DegradedRows({}, kind, severity, np.array([f"d{i // 4}" for i in frame]), frame, None, None)
    few, fold = every[:, :2], drive_folds(rows, 4, 0)
    judged, far = (judge_cells(rows, some, NAMES, fold) for some in (few, every))
    causes, alone = fit_causes(rows, few, NAMES, judged, every, far), fit_causes(rows, few, NAMES, judged, few, judged)
    np.testing.assert_array_equal(causes.cells.causes(few), alone.cells.causes(few))
    assert causes.record.set_threshold == alone.record.set_threshold
    novelty = np.empty((2, len(rows)))
    for number in np.unique(fold):
        others = fold != number
        for place, (some, sizes) in enumerate(((few, causes.sizes), (every, causes.far_sizes))):
            cells = fit_cells(some[others], kind[others], severity[others], NAMES).with_sizes(sizes)
            novelty[place, ~others] = cells.novelty(some[~others])
    rank = int(np.ceil((len(rows) + 1) * KNOWN)) - 1
    assert np.sort(novelty[0])[rank] == pytest.approx(np.sort(novelty[1])[rank], rel=1e-9)  # one unit
    assert causes.novelty_limit == pytest.approx(np.sort(novelty.max(axis=0))[rank], rel=1e-9)
    for column, seen_by in ((4, causes.far_cells), (1, causes.cells)):
        elsewhere = every.copy()
        elsewhere[:, column] += 60
        columns = elsewhere if seen_by is causes.far_cells else elsewhere[:, :2]
        assert (seen_by.novelty(columns) > causes.novelty_limit).all()
