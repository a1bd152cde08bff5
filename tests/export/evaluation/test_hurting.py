# SPDX-License-Identifier: Apache-2.0
"""Which frames hurt the segmentation, and the figures of those that do, against scikit-learn and plain loops."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from export.evaluation.blind_spots import blind_spots
from export.evaluation.hurting import Harm, Losses, harm_of_real_shift, losses_against, rule_sentence
from export.evaluation.hurting_split import Cell, HurtingSplit, areas, hurting_split
from export.evaluation.interval import DriveCount, Interval, fewest, jackknife_interval
from export.evaluation.set_drives import SetDrives
from export.evaluation.shift import Shift
from export.frames.clean_frames import CleanFrames
from export.frames.overlaps import overlaps


def auroc(ind: np.ndarray, ood: np.ndarray) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(ind), len(ood)]), np.concatenate([ind, ood])))


def test_clean_frames_compare_class_maps_and_overlaps_of_the_same_index() -> None:
    rng = np.random.default_rng(0)
    label, clean = rng.integers(0, 3, (2, 6, 8), dtype=np.uint8)
    worse = clean.copy()
    worse[:3] = 2
    kept = CleanFrames()
    kept.add(4, clean, overlaps(clean, label, 3, []))
    agreement = kept.agreement(4, worse)
    assert agreement == pytest.approx((worse == clean).mean())
    losses = losses_against(kept, (4,), [agreement], [overlaps(worse, label, 3, [])])

    def iou(guess: np.ndarray) -> float:
        return float(
            np.mean([((guess == k) & (label == k)).sum() / ((guess == k) | (label == k)).sum() for k in range(3)])
        )

    assert losses.iou_lost == pytest.approx([iou(clean) - iou(worse)])
    assert losses.mean_iou_lost == pytest.approx(iou(clean) - iou(worse))
    bare = losses_against(kept, (4,), [], [])
    assert (bare.agreement, bare.iou_lost, bare.mean_iou_lost) == (None, None, None)


def test_harm_by_agreement_or_labels_follows_its_rule() -> None:
    losses = Losses(np.array([0.95, 0.86, 0.7]), np.array([0.0, 0.05, 0.3]), 0.12)
    by_agreement, by_labels = losses.harm("agreement"), losses.harm("labels")
    assert by_agreement is not None
    assert by_agreement.frames.tolist() == [False, False, True]
    assert by_agreement.cell, "0.837 on average"
    assert by_labels is not None
    assert by_labels.frames.tolist() == [False, False, True]
    assert by_labels.cell
    assert Losses(None, None, None).harm("agreement") is None
    assert Losses(np.ones(2), None, None).harm("labels") is None
    assert Losses(np.ones(2), np.full(2, np.nan), np.nan).harm("labels") is None, "no pixel counts"
    assert "85%" in rule_sentence("agreement")
    assert "0.1 below" in rule_sentence("labels")


def test_harm_of_a_real_shift_is_that_of_the_whole_set_or_unknown() -> None:
    worse = harm_of_real_shift(3, 0.4, 0.6)
    assert worse is not None
    assert worse.cell
    assert worse.frames.tolist() == [True] * 3
    same = harm_of_real_shift(2, 0.55, 0.6)
    assert same is not None
    assert not same.frames.any()
    assert harm_of_real_shift(2, None, 0.6) is None
    assert harm_of_real_shift(2, np.nan, 0.6) is None


def harm_of(cell: Cell) -> Harm:
    assert cell.harm is not None
    return cell.harm


def of_side(cell: Cell, hurting: bool) -> np.ndarray:
    chosen: np.ndarray = cell.score[harm_of(cell).frames == hurting]
    return chosen


def cells_of(rng: np.random.Generator, count: int, drives: SetDrives) -> list[Cell]:
    """Two kinds at two severities, made of the same frames."""
    made = []
    for kind, severity, gain in (("fog", 1, 0.3), ("fog", 5, 2.5), ("mud", 1, 0.2), ("mud", 5, 1.2)):
        score = rng.normal(gain, size=count).round(1)
        hurt = rng.random(count) < severity / 6
        peers = {"other": rng.normal(gain / 2, size=count)}
        made.append(Cell(f"{kind} {severity}", kind, score, peers, Harm(hurt, severity == 5), drives))
    return made


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_hurting_split_of_any_cells_equals_scikit_learn_over_the_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ind, other = rng.normal(size=30).round(1), rng.normal(size=30)
    drives = SetDrives(np.arange(30) // 3)
    cells = cells_of(rng, 30, drives)
    got = hurting_split("agreement", ind, {"other": other}, drives, cells, 1.0, 0.1)
    hurt = np.concatenate([cell.score[harm_of(cell).frames] for cell in cells])
    harmless = np.concatenate([cell.score[~harm_of(cell).frames] for cell in cells])
    for group, scores in ((got.hurting_frames, hurt), (got.harmless_frames, harmless)):
        assert group is not None
        assert group.frames == len(scores)
        assert group.auroc.value == pytest.approx(auroc(ind, scores))
        assert group.missed.value == pytest.approx((scores <= 1.0).mean())
        assert not group.auroc.known or group.auroc.low <= group.auroc.value <= group.auroc.high
        assert not group.missed.known or group.missed.low <= group.missed.value <= group.missed.high
        of_kinds = {
            kind: np.concatenate([of_side(cell, group is got.hurting_frames) for cell in cells if cell.kind == kind])
            for kind in ("fog", "mud")
        }
        counted = {kind: values for kind, values in of_kinds.items() if len(values) >= 10}
        assert group.worst_auroc == pytest.approx(min(auroc(ind, values) for values in counted.values()))
        assert group.worst_auroc == pytest.approx(auroc(ind, of_kinds[group.worst_kind]))
        assert group.most_missed == pytest.approx(max((values <= 1.0).mean() for values in counted.values()))
    severe, mild = [cells[1], cells[3]], [cells[0], cells[2]]
    for chosen, side in ((severe, got.hurting_cells), (mild, got.harmless_cells)):
        assert side is not None
        assert side.cells == 2
        aurocs = {cell.kind: auroc(ind, cell.score) for cell in chosen}
        assert side.auroc.value == pytest.approx(np.mean(list(aurocs.values())))
        assert side.worst_auroc == pytest.approx(min(aurocs.values()))
        assert aurocs[side.worst_kind] == pytest.approx(side.worst_auroc)
        missed = {cell.kind: (cell.score <= 1.0).mean() for cell in chosen}
        assert side.most_missed == pytest.approx(max(missed.values()))
    own, peer = got.scores
    assert (own.name, peer.name) == ("this monitor", "other")
    assert own.hurting_cells == pytest.approx(np.mean([auroc(ind, cell.score) for cell in severe]))
    assert own.hurting_frames == pytest.approx(auroc(ind, hurt))
    assert peer.all_cells == pytest.approx(np.mean([auroc(other, cell.peers["other"]) for cell in cells]))
    assert peer.kinds["mud"] == pytest.approx(
        np.mean([auroc(other, cell.peers["other"]) for cell in (cells[2], cells[3])])
    )
    above = sorted(ind)[26]  # three of thirty frames lie above it
    assert own.caught == pytest.approx((hurt > above).mean())


def test_hurting_split_over_drives_has_the_interval_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    ind = rng.normal(size=60)
    units = np.arange(60) // 4
    cells = cells_of(rng, 60, SetDrives(units))
    got = hurting_split("agreement", ind, {}, SetDrives(units), [replace(cell, peers={}) for cell in cells], 1.0, 0.1)
    assert got.hurting_frames is not None
    assert got.hurting_cells is not None
    sizes = np.bincount(units, sum(harm_of(cell).frames.astype(int) for cell in cells))
    both = fewest([DriveCount.of_sizes(np.full(15, 4)), DriveCount.of_sizes(sizes[sizes > 0].astype(np.int64))])
    severe = [cells[1], cells[3]]
    without: dict[str, list[float]] = {"frames": [], "cells": [], "missed": []}
    for unit in range(15):
        kept = units != unit
        hurt = [cell.score[kept & harm_of(cell).frames] for cell in cells]
        without["frames"].append(auroc(ind[kept], np.concatenate(hurt)))
        without["missed"].append(float((np.concatenate(hurt) <= 1.0).mean()))
        without["cells"].append(float(np.mean([auroc(ind[kept], cell.score[kept]) for cell in severe])))
    for name, found, frames, drives in (
        ("frames", got.hurting_frames.auroc, 60 + got.hurting_frames.frames, both),
        ("missed", got.hurting_frames.missed, got.hurting_frames.frames, both),
        ("cells", got.hurting_cells.auroc, 60 + 120, DriveCount.of_sizes(np.full(15, 8))),
    ):
        expected = jackknife_interval(found.value, np.array(without[name]), np.zeros(15, np.int64), drives, frames)
        assert found.known
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_hurting_split_where_nothing_hurts_has_no_hurting_side() -> None:
    rng = np.random.default_rng(0)
    drives = SetDrives(np.zeros(20, np.int64))
    cells = [Cell("fog 1", "fog", rng.normal(size=20), {}, Harm(np.zeros(20, bool), False), drives)]
    got: HurtingSplit = hurting_split("labels", rng.normal(size=20), {}, drives, cells, 0.0, 0.05)
    assert got.hurting_frames is None
    assert got.hurting_cells is None
    assert got.scores[0].worst_kind == ""
    assert np.isnan([got.scores[0].hurting_cells, got.scores[0].hurting_frames, got.scores[0].caught]).all()
    assert got.harmless_cells is not None
    assert got.harmless_cells.worst_kind == "fog"


def test_hurting_split_with_a_shift_of_unknown_harm_counts_it_among_all_cells_alone() -> None:
    rng = np.random.default_rng(0)
    ind = rng.normal(size=20)
    drives = SetDrives(np.zeros(20, np.int64))
    fog = Cell("fog 5", "fog", rng.normal(1, size=20), {}, Harm(np.ones(20, bool), True), drives)
    town = Cell("town", "town", rng.normal(2, size=9), {}, None, SetDrives(np.zeros(9, np.int64), 1))
    got = hurting_split("agreement", ind, {}, drives, [fog, town], 0.0, 0.05)
    (own,) = got.scores
    assert got.hurting_frames is not None
    assert got.hurting_frames.frames == 20
    assert own.hurting_cells == pytest.approx(auroc(ind, fog.score))
    assert own.all_cells == pytest.approx((auroc(ind, fog.score) + auroc(ind, town.score)) / 2)
    assert own.kinds.keys() == {"fog", "town"}


def test_areas_of_scores_have_the_auroc_as_mean() -> None:
    rng = np.random.default_rng(0)
    ind, ood = rng.normal(size=30).round(), rng.normal(size=20).round()
    assert areas(ind, ood).mean() == pytest.approx(auroc(ind, ood))


def shift(name: str, score: np.ndarray, harm: Harm | None, kind: str | None = None) -> Shift:
    frames: Any = SimpleNamespace(
        source=SimpleNamespace(name=name, kind=kind, severity=None if kind is None else 3), score=score, mean_iou=None
    )
    figure = Interval(0.5, 0.4, 0.6)
    return Shift(frames, {"auroc": figure}, {}, None, False, harm)


def test_blind_spots_are_shifts_that_hurt_and_are_missed_those_known_to_hurt_first() -> None:
    ind = np.arange(20.0)
    low, high = np.full(20, 5.0), np.full(20, 30.0)
    half = np.arange(20) < 10
    shifts = [
        shift("hurts, caught", high, Harm(np.ones(20, bool), True), "fog"),
        shift("harmless, missed", low, Harm(np.zeros(20, bool), False), "jpeg"),
        shift("half hurts, missed", low, Harm(half, False), "mud"),
        shift("one frame hurts", low, Harm(np.arange(20) == 0, False), "rain"),
        shift("unknown", low, None),
    ]
    mud, unknown = blind_spots(ind, shifts, 19.0)
    assert (unknown.name, unknown.known, unknown.frames, unknown.missed) == ("unknown", False, 20, 1.0)
    assert (mud.name, mud.known, mud.frames, mud.severity) == ("half hurts, missed", True, 10, 3)
    assert mud.auroc == pytest.approx(auroc(ind, low[half]))
    assert "100% of 10 frames that hurt" in mud.sentence
    assert "not known whether they hurt" in unknown.sentence
