# SPDX-License-Identifier: Apache-2.0
"""Detectors are tested on frames of drives that they were not fitted on, and ranked by what hurts."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from export.detectors.fitted import FeatureRows, PartOptions
from export.detectors.fused import fit_fused
from export.evaluation.detector_ranking import Candidate, CrossFit, Figures, ShiftedFrames, rows_of, split_kinds
from export.features.key import FeatureKey

KEY, OTHER = FeatureKey.entropy("layer", 8), FeatureKey.moments("layer")
RNG = np.random.default_rng(0)
ROWS: NDArray[np.float64] = RNG.normal(size=(60, 4))
IND: FeatureRows = {KEY: ROWS, OTHER: RNG.normal(size=(60, 6))}
DRIVES = [f"drive{i // 6}" for i in range(60)]
CLEAN = np.arange(0, 60, 2)
HURTS, HARMLESS = np.full(30, 0.5), np.full(30, 0.9)
FUSED = Candidate("fused", (PartOptions("mahalanobis", (KEY,)), PartOptions("kde", (OTHER,))))


def of_one_part(detector: str) -> Candidate:
    return Candidate(detector, (PartOptions(detector, (KEY,)),))


def cell(name: str, moved: float, agreement: NDArray[np.float64] = HURTS, times: float = 1.0) -> ShiftedFrames:
    values = {key: rows[CLEAN] * times + moved for key, rows in IND.items()}
    return ShiftedFrames(name, name.split()[0], values, CLEAN, agreement)


@pytest.mark.parametrize("drives", [DRIVES, ["one"] * 60], ids=["drives", "blocks"])
@pytest.mark.parametrize("candidate", [*map(of_one_part, ["knn", "kde", "mahalanobis", "kde-classifier"]), FUSED])
def test_cross_fit_of_equal_rows_finds_no_difference(candidate: Candidate, drives: list[str]) -> None:
    """The shifts are the frames again: a detector that had seen a test row would find it at distance 0."""
    figures = CrossFit(IND, drives, [cell("fog 3", 0), cell("rain 3", 0)]).figures(candidate)
    assert all(0.2 < one.auroc < 0.8 for one in figures.cells)


@pytest.mark.parametrize("candidate", [of_one_part("mahalanobis"), of_one_part("kde-classifier"), FUSED])
def test_cross_fit_of_rows_far_away_finds_all_of_them(candidate: Candidate) -> None:
    figures = CrossFit(IND, DRIVES, [cell("fog 3", 100), cell("rain 3", 100)]).figures(candidate)
    assert {one.name: one.auroc for one in figures.cells} == {"fog 3": 1.0, "rain 3": 1.0}
    assert (figures.hurting, figures.all_cells, figures.flagged, figures.worst[1]) == (1.0, 1.0, 0.0, 1.0)


def test_cross_fit_of_real_frames_compares_all_of_them_in_every_fold() -> None:
    real = ShiftedFrames("dusk", "dusk", {KEY: ROWS[:7] + 100})
    assert CrossFit(IND, DRIVES, [real]).figures(of_one_part("mahalanobis")).hurting == 1.0


def test_cross_fit_of_a_fused_detector_gives_the_figures_of_one_fitted_as_a_whole() -> None:
    shift = cell("fog 3", 0.7, times=1.3)
    cross_fit = CrossFit(IND, DRIVES, [shift], seed=3)
    aurocs, pairs = [], []
    for fold in cross_fit.folds:
        others = np.setdiff1d(np.arange(60), fold)
        names = [DRIVES[i] for i in others]
        whole = fit_fused(FUSED.parts, rows_of(IND, others, FUSED.keys), names, seed=3)
        clean = whole.score(rows_of(IND, fold, FUSED.keys))
        rows = np.flatnonzero(np.isin(CLEAN, fold))
        shifted = whole.score(rows_of(shift.values, rows, FUSED.keys))
        aurocs.append(roc_auc_score([0] * len(clean) + [1] * len(shifted), [*clean, *shifted]))
        pairs.append(len(clean) * len(shifted))
    assert cross_fit.figures(FUSED).hurting == pytest.approx(np.average(aurocs, weights=pairs))


def test_cross_fit_shares_of_every_frame_come_from_detectors_that_it_did_not_fit() -> None:
    cross_fit = CrossFit(IND, DRIVES, [cell("fog 3", 0), cell("fog 5", 0), cell("rain 3", 0, HARMLESS)])
    ind, shifts = cross_fit.shares(FUSED)
    assert ind.shape == (60, 2)
    assert {kind: shares.shape for kind, shares in shifts.items()} == {"fog": (60, 2)}
    first = cross_fit.fitted_without(FUSED, 0).part_scores(rows_of(IND, cross_fit.folds[0], FUSED.keys))
    np.testing.assert_allclose(ind[cross_fit.folds[0]], first)
    np.testing.assert_allclose(np.sort(shifts["fog"][:, 0]), np.sort(np.tile(ind[CLEAN, 0], 2)))


def test_figures_rank_by_cells_that_hurt_and_by_all_where_none_does() -> None:
    cells = [cell("fog 1", 0, HARMLESS), cell("fog 5", 100), cell("rain 3", 2)]
    figures = CrossFit(IND, DRIVES, cells).figures(of_one_part("mahalanobis"))
    assert [one.hurts for one in figures.cells] == [False, True, True]
    assert set(figures.kinds) == {"fog", "rain"}
    assert figures.kinds["fog"] == 1.0
    assert figures.worst == ("rain", figures.cells[2].auroc)
    assert figures.hurting == pytest.approx(np.mean([one.auroc for one in figures.cells[1:]]))
    assert figures.all_cells < figures.hurting
    harmless = Figures(figures.cells[:1])
    assert harmless.judged == harmless.cells
    assert [one.name for one in figures.over(["rain"]).cells] == ["rain 3"]


@pytest.mark.parametrize("kinds", [["fog 3", "fog 5", "rain 3"], ["fog 3"]])
def test_split_kinds_never_tests_what_was_learnt(kinds: list[str]) -> None:
    shifts = [cell(name, 0) for name in kinds]
    fit, test = np.arange(30), np.arange(30, 60)
    tested_names = set()
    for learnt, tested in split_kinds(shifts, fit, test):
        assert all(len(rows) and np.isin(one.clean[rows], fit).all() for one, rows in learnt if one.clean is not None)
        tested_names |= {one.name for one, rows in tested if len(rows)}
        if len(kinds) > 1:
            assert {one.kind for one, _ in learnt}.isdisjoint(one.kind for one, _ in tested)
    assert tested_names == set(kinds)


def test_split_kinds_of_real_frames_learns_from_one_half_and_tests_the_other() -> None:
    real = ShiftedFrames("dusk", "dusk", {KEY: ROWS[:7]})
    turns = list(split_kinds([real], np.arange(30), np.arange(30, 60)))
    assert [(list(learnt[0][1]), list(tested[0][1])) for learnt, tested in turns] == [
        ([0, 1, 2, 3], [4, 5, 6]),
        ([4, 5, 6], [0, 1, 2, 3]),
    ]
