# SPDX-License-Identifier: Apache-2.0
"""Figures of answers, against scikit-learn, SciPy and plain loops on answers drawn at random."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, confusion_matrix, mean_absolute_error

from export.evaluation.answer_figures import ALL, FIT, OTHER, answer_figures
from export.evaluation.answer_values import answer_figure_values
from export.evaluation.answered_frames import AnsweredFrames
from export.evaluation.interval import DriveCount, jackknife_interval
from export.evaluation.scored_sets import FrameSet
from export.evaluation.set_drives import SetDrives
from lsood_runtime.offline import Answers, AnswersRecord
from tests.export.evaluation.drawn_answers import GRID, drawn_frames, drawn_record, with_tiles

FITTED, OTHERS = ("fog", "mud", "night"), ("frost", "glare")
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=12, deadline=None)
@given(seed=seeds, each=st.integers(2, 15), unknown=st.sampled_from([0.0, 0.2, 0.6]))
def test_quality_figures_of_drawn_answers_are_those_of_other_libraries(seed: int, each: int, unknown: float) -> None:
    frames = drawn_frames(np.random.default_rng(seed), FITTED, OTHERS, each, unknown=unknown)
    figures = answer_figures(frames, drawn_record(FITTED))
    for name, among in ((ALL, np.full(len(frames), True)), (FIT, frames.in_fit), (OTHER, ~frames.in_fit)):
        true = among & ~np.isnan(frames.truth)
        told = true & ~np.isnan(frames.expected)
        if told.sum() < 2:
            assert name not in figures.quality
            continue
        got, truth, expected = figures.quality[name], frames.truth[told], frames.expected[told]
        assert (got.frames, got.unknown) == (true.sum(), true.sum() - told.sum())
        assert got.error.value == pytest.approx(mean_absolute_error(truth, expected))
        assert got.constant_error == pytest.approx(mean_absolute_error(truth, np.full(len(truth), np.median(truth))))
        assert got.spearman.value == pytest.approx(spearmanr(truth, expected).statistic)
        pairs = zip(frames.low[told], truth, frames.high[told], strict=True)
        assert got.covered.value == pytest.approx(np.mean([low <= value <= high for low, value, high in pairs]))
        assert got.median_width == pytest.approx(np.median(frames.high[told] - frames.low[told]))
        lower, score = got.rankings
        by_low = sorted(np.flatnonzero(true), key=lambda i: 2 if np.isnan(frames.low[i]) else -frames.low[i])
        for ranking, order in ((lower, by_low), (score, sorted(np.flatnonzero(true), key=lambda i: frames.score[i]))):
            means = [np.mean(1 - frames.truth[order[: k + 1]]) for k in range(len(order))]
            assert ranking.aurc.value == pytest.approx(np.mean(means))
            assert lower.oracle_aurc <= ranking.aurc.value + 1e-12


@settings(max_examples=12, deadline=None)
@given(seed=seeds, each=st.integers(2, 15), unknown=st.sampled_from([0.0, 0.2, 1.0]))
def test_cause_figures_of_drawn_answers_are_those_of_other_libraries(seed: int, each: int, unknown: float) -> None:
    frames = drawn_frames(np.random.default_rng(seed), FITTED, OTHERS, each, unknown=unknown)
    causes = answer_figures(frames, drawn_record(FITTED)).causes
    assert causes is not None
    names = list(dict.fromkeys([*causes.kinds, *causes.causes]))
    matrix = confusion_matrix(frames.kind, frames.cause, labels=names)
    rows, columns = ([names.index(name) for name in own] for own in (causes.kinds, causes.causes))
    np.testing.assert_array_equal(causes.counts, matrix[np.ix_(rows, columns)])
    assert causes.counts.sum() == len(frames)
    assert causes.causes == ("none", *FITTED, "unknown")
    for level, share in causes.right.items():
        own = np.isin(frames.kind, FITTED) & (frames.severity == level)
        assert share.value == pytest.approx(accuracy_score(frames.kind[own], frames.cause[own]))
    assert set(causes.right) == {1, 3, 5}
    known, others = np.isin(frames.kind, ["none", *FITTED]), np.isin(frames.kind, OTHERS)
    assert causes.sets_hold is not None
    assert causes.sets_hold.value == pytest.approx(frames.right_in_set[known].mean())
    told = ~np.isnan(frames.told_severity)
    for got, among in ((causes.severity_error, known & told), (causes.others_severity_error, others & told)):
        if among.sum() < 2:
            assert got is None
        else:
            assert got is not None
            wanted = mean_absolute_error(frames.severity[among], frames.told_severity[among])
            assert got.value == pytest.approx(wanted)
    assert causes.others == others.sum()
    assert causes.others_unknown is not None
    assert causes.others_none is not None
    assert causes.others_confident is not None
    assert causes.others_unknown.value == pytest.approx(np.mean(frames.cause[others] == "unknown"))
    assert causes.others_none.value == pytest.approx(np.mean(frames.cause[others] == "none"))
    confident = np.isin(frames.cause, FITTED) & (np.nan_to_num(frames.probability) >= 0.9)
    assert causes.others_confident.value == pytest.approx(np.mean(confident[others]))


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_groups_of_drawn_answers_count_each_frame_once_and_name_the_worst_kind(seed: int) -> None:
    frames = drawn_frames(np.random.default_rng(seed), FITTED, OTHERS)
    figures = answer_figures(frames, drawn_record(FITTED))
    for groups in (figures.by_kind, figures.by_set):
        assert sum(group.frames for group in groups) == len(frames)
        assert sum(group.counted for group in groups) == figures.quality[ALL].frames - figures.quality[ALL].unknown
    assert [group.name for group in figures.by_kind if group.in_fit] == ["none", *FITTED]
    worst = figures.worst_kind
    assert worst is not None
    assert worst.covered is not None
    assert worst.covered.value == min(g.covered.value for g in figures.by_kind if g.covered is not None)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, each=st.integers(2, 15), unknown=st.sampled_from([0.0, 0.2, 1.0]))
def test_tile_figures_of_drawn_answers_are_those_of_plain_loops(seed: int, each: int, unknown: float) -> None:
    frames = drawn_frames(np.random.default_rng(seed), FITTED, OTHERS, each, unknown=unknown)
    figures = answer_figures(frames, with_tiles(drawn_record(FITTED)))
    assert figures.tiles is not None
    assert figures.tiles.clean_kept is not None
    for groups, of in ((figures.by_kind, frames.kind), (figures.by_set, np.array(frames.set_names)[frames.place])):
        for group in groups:
            own = [i for i in range(len(frames)) if of[i] == group.name]
            known = [frames.tiles[i] for i in own if frames.tiles_known[i]]
            assert group.unknown_tiles == pytest.approx(1 - len(known) / len(own))
            assert (group.abnormal is None) == (len(known) < 2)
            if group.abnormal is not None:
                assert group.abnormal.value == pytest.approx(np.mean([tiles.any() for tiles in known]))
            if known:
                assert group.tile_share == pytest.approx(np.mean([tiles.sum() / tiles.size for tiles in known]))
                if groups is figures.by_kind:
                    np.testing.assert_allclose(
                        figures.tiles.grids[group.name], sum(map(np.asarray, known)) / len(known)
                    )
            else:
                assert group.tile_share is None
                assert groups is figures.by_set or group.name not in figures.tiles.grids
    clean = [tiles.any() for tiles, kind in zip(frames.tiles, frames.kind, strict=True) if kind == "none"]
    assert figures.tiles.clean_kept.value == pytest.approx(1 - np.mean(clean))
    values = json.loads(json.dumps(answer_figure_values(figures), allow_nan=False))
    assert values["tiles"]["clean_kept"][0] == pytest.approx(figures.tiles.clean_kept.value)


def test_error_of_drawn_answers_has_the_interval_of_a_plain_jackknife_over_drives() -> None:
    frames = drawn_frames(np.random.default_rng(5), FITTED, each=26, drives=13, unlabelled=0.0, unknown=0.0)
    own = frames.in_fit
    got = answer_figures(frames, drawn_record(FITTED)).quality[FIT].error
    drive = np.concatenate([drives.units for drives in frames.drives])[own]
    error = np.abs(frames.expected - frames.truth)[own]
    left_out = np.array([error[drive != one].mean() for one in range(13)])
    counts = DriveCount.of_sizes(np.bincount(drive))
    wanted = jackknife_interval(float(error.mean()), left_out, np.zeros(13, np.int64), counts, np.inf)
    assert [got.low, got.high] == pytest.approx([wanted.low, wanted.high])


@pytest.mark.parametrize(("drives", "stated"), [(3, False), (12, True)])
def test_figures_of_drawn_answers_have_intervals_of_enough_drives_alone(drives: int, stated: bool) -> None:
    frames = drawn_frames(np.random.default_rng(0), FITTED, OTHERS, 24, drives=drives)
    figures = answer_figures(frames, drawn_record(FITTED))
    quality, causes = figures.quality[FIT], figures.causes
    assert causes is not None
    assert causes.severity_error is not None
    for figure in (quality.error, quality.spearman, quality.covered, causes.severity_error, causes.right[3]):
        assert figure.known is stated
        assert not stated or figure.low <= figure.value <= figure.high
    assert json.loads(json.dumps(answer_figure_values(figures), allow_nan=False))["quality"]["measure"] == "agreement"


def test_figures_without_a_true_quality_state_the_causes_alone() -> None:
    frames = drawn_frames(np.random.default_rng(0), FITTED, OTHERS)
    figures = answer_figures(replace(frames, truth=np.full(len(frames), np.nan)), drawn_record(FITTED, "miou"))
    assert figures.quality == {}
    assert figures.worst_kind is None
    assert figures.causes is not None
    assert all(group.covered is None and group.truth is None for group in figures.by_kind)


def test_answered_frames_of_sets_have_their_tiles_and_say_where_they_are_unknown() -> None:
    told, unknown = np.array([[True, False, False], [False, True, True]]), np.zeros(GRID, np.bool_)
    answers = [
        Answers(tiles=told, tile_values=np.full(GRID, 0.5)),
        Answers(tiles=unknown, tile_values=np.full(GRID, np.nan)),
    ]

    class Frames(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.answers)

    def joined(answers: list[Answers], record: AnswersRecord) -> AnsweredFrames:
        source = SimpleNamespace(name="in-distribution", kind=None, severity=None)
        drawn = Frames(source=source, losses=None, iou=np.zeros(2), score=np.zeros(2), answers=answers)
        return AnsweredFrames.of_sets([cast("FrameSet", drawn)], [SetDrives(np.zeros(2, np.int64))], record)

    record = replace(with_tiles(drawn_record(FITTED)), quality=None, cause=None)
    frames = joined(answers, record)
    np.testing.assert_array_equal(frames.tiles, [told, unknown])
    assert frames.tiles_known.tolist() == [True, False]
    assert frames.has_abnormal_tile.tolist() == [True, False]
    without = joined([Answers(), Answers()], replace(record, tiles=None))
    assert without.tiles.shape == (2, 0, 0)
    assert not without.has_abnormal_tile.any()


@pytest.mark.parametrize("measure", ["agreement", "miou"])
def test_answered_frames_of_sets_have_the_quality_by_the_measure_of_the_bundle(measure: str) -> None:
    answer = Answers(measure, 0.7, 0.6, 0.8, "fog", 0.9, ("fog", "mud"), 2.0)

    def made(
        name: str, kind: str | None, severity: int | None, iou: list[float], agreement: list[float] | None
    ) -> FrameSet:
        losses = None if agreement is None else SimpleNamespace(agreement=np.array(agreement))
        source = SimpleNamespace(name=name, kind=kind, severity=severity)
        drawn = {
            "source": source,
            "losses": losses,
            "iou": np.array(iou),
            "score": np.zeros(2),
            "answers": (answer,) * 2,
        }

        class Two(SimpleNamespace):
            def __len__(self) -> int:
                return 2

        return cast("FrameSet", Two(**drawn))

    sets = [
        made("in-distribution", None, None, [0.9, 0.8], None),
        made("mud", None, None, [0.1, np.nan], None),
        made("mud 3", "mud", 3, [0.5, 0.4], [0.6, 0.7]),
        made("glare 2", "glare", 2, [0.3, 0.2], [0.5, 0.4]),
    ]
    frames = AnsweredFrames.of_sets(sets, [SetDrives(np.zeros(2, np.int64))] * 4, drawn_record(("fog", "mud"), measure))
    miou, agreement = [0.9, 0.8, 0.1, np.nan, 0.5, 0.4, 0.3, 0.2], [1, 1, np.nan, np.nan, 0.6, 0.7, 0.5, 0.4]
    np.testing.assert_array_equal(frames.truth, miou if measure == "miou" else agreement)
    assert frames.kind[::2].tolist() == ["none", "mud (--ood)", "mud", "glare"]
    assert frames.kind_names == ("none", "mud", "glare", "mud (--ood)")
    assert frames.in_fit[::2].tolist() == [True, False, True, False]
    assert frames.right_in_set[::2].tolist() == [False, False, True, False]
    np.testing.assert_array_equal(frames.severity[::2], [0, np.nan, 3, 2])


@settings(max_examples=6, deadline=None)
@given(seed=seeds, each=st.integers(2, 15))
def test_cause_figures_of_a_kind_of_the_users_own_count_it_without_a_severity(seed: int, each: int) -> None:
    drawn, record = drawn_frames(np.random.default_rng(seed), FITTED, OTHERS, each), drawn_record(FITTED)
    assert record.cause is not None
    of_own = replace(record, cause=replace(record.cause, own={"mud": 0.9}))
    frames = replace(drawn, severity=np.where(drawn.kind == "mud", np.nan, drawn.severity))
    causes, with_severity = (answer_figures(*each).causes for each in ((frames, of_own), (drawn, record)))
    assert causes is not None
    assert with_severity is not None
    mud = drawn.kind == "mud"
    assert causes.right_own["mud"].value == pytest.approx(accuracy_score(drawn.kind[mud], drawn.cause[mud]))
    assert with_severity.right_own == {}
    assert causes.sets_hold == with_severity.sets_hold
    np.testing.assert_array_equal(causes.counts, with_severity.counts)
    told = np.isin(drawn.kind, ["none", "fog", "night"]) & ~np.isnan(drawn.told_severity)
    assert causes.severity_error is not None
    assert causes.severity_error.value == pytest.approx(
        mean_absolute_error(drawn.severity[told], drawn.told_severity[told])
    )
    for level, share in causes.right.items():
        own = np.isin(drawn.kind, ["fog", "night"]) & (drawn.severity == level)
        assert share.value == pytest.approx(accuracy_score(drawn.kind[own], drawn.cause[own]))
