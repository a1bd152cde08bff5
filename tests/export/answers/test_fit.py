# SPDX-License-Identifier: Apache-2.0
"""Fitted answers on drawn frames: what they tell of new drives and of kinds that they have not seen, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from export.answers.fit import FittedAnswers, answer_keys, fit_answers
from export.answers.left_out import FOLDS_WITH_KINDS
from export.answers.rows import DegradedRows
from export.errors import CalibrationError
from export.features.key import PICTURE, Aggregate, FeatureKey, FeatureKind
from tests.drawn_examples import examples
from tests.export.answers.drawn_rows import KINDS, TAP, WIDTHS, draw_rows, with_changed, with_own
from tests.export.pipeline.told_reporter import ToldReporter

BOTH = frozenset({"quality", "cause"})


def fitted(rows: DegradedRows, which: frozenset[str] = BOTH, seed: int = 0) -> FittedAnswers:
    return fit_answers(rows, which, seed, (TAP,))


def test_answer_keys_are_the_early_layers_and_picture_then_tap_and_output_without_entropies() -> None:
    energy = FeatureKey.output_score(FeatureKind.ENERGY, Aggregate.Q90)
    keys = answer_keys((FeatureKey.entropy(), energy, *WIDTHS), (TAP,))
    assert keys[:3] == (FeatureKey.moments("layer1"), FeatureKey.moments("layer2"), PICTURE)
    assert set(keys) == set(WIDTHS)


def test_answer_keys_of_a_network_that_gives_its_tap_alone_are_those_of_the_tap() -> None:
    tap = FeatureKey.moments(TAP)
    assert answer_keys((FeatureKey.entropy(), tap, PICTURE), (TAP,)) == (tap, PICTURE)


def test_fit_tells_how_many_of_the_fits_that_judge_are_done() -> None:
    reporter, rows = ToldReporter(), draw_rows(0)
    fit_answers(rows, BOTH, 0, (TAP,), reporter=reporter)
    kinds = len(set(rows.kind.tolist()))
    assert reporter.counted == {"judging quality": (FOLDS_WITH_KINDS * kinds, FOLDS_WITH_KINDS * kinds)}


def test_quality_reads_the_expected_iou_where_the_graph_gives_it() -> None:
    """Graphs of older bundles do not: their answers are calibrated anew without it."""
    rows, key = draw_rows(0), FeatureKey(FeatureKind.EXPECTED_IOU)
    drawn = np.random.default_rng(0).random((len(rows), 3)).astype(np.float32)
    for values in (rows.values, dict(rows.values) | {key: drawn}):
        assert (key in answer_keys(tuple(values), (TAP,))) == (key in values)
        answers = fitted(replace(rows, values=values), frozenset({"quality"}))
        assert answers.quality_columns is not None
        assert answers.quality is not None
        place = np.cumsum([0, *answers.quality_columns.widths])
        hidden = {
            name
            for name, first, last in zip(answers.quality_columns.keys, place[:-1], place[1:], strict=True)
            if set(range(first, last)) <= set(answers.quality.model.places.tolist())
        }
        assert (key in hidden) == (key in values)


@pytest.mark.parametrize("tells", [TAP, "output"])
def test_quality_reads_the_tap_where_it_tells_what_the_output_does_not(tells: str) -> None:
    """Of the other side is noise alone."""
    rows, tap, rng = draw_rows(3), FeatureKey.moments(TAP), np.random.default_rng(0)
    assert rows.quality is not None
    lost = [key for key in rows.values if (key == tap if tells == "output" else key.is_of_output)]
    drawn = {key: rng.normal(size=rows.values[key].shape).astype(np.float32) for key in lost}
    answers = fitted(replace(rows, values=dict(rows.values) | drawn), frozenset({"quality"}))
    assert answers.quality_columns is not None
    assert (tap in answers.quality_columns.keys) == (tells == TAP)
    assert (tap in answers.keys) == (tells == TAP)
    assert answers.record.quality is not None
    assert answers.record.quality.mean_absolute_error < answers.record.quality.constant_error / 1.5


@pytest.mark.parametrize("noise", [PICTURE, "layers"])
def test_fit_answers_tells_causes_of_those_features_alone_that_help(noise: FeatureKey | str) -> None:
    rows, rng = draw_rows(12), np.random.default_rng(0)
    lost = [key for key in rows.values if key == noise or (noise == "layers" and str(key).startswith("moments/layer"))]
    drawn = {key: rng.normal(size=(len(rows), 60)).astype(np.float32) for key in lost}
    answers = fitted(replace(rows, values=dict(rows.values) | drawn))
    assert answers.cell_columns is not None
    assert answers.cell_columns.keys[-1] == PICTURE
    assert (answers.cell_columns.keys == (PICTURE,)) == (noise == "layers")
    assert answers.far_columns is not None
    assert answers.far_columns.keys == answer_keys(tuple(rows.values), (TAP,))[:3]  # the novelty is told of all of them
    assert set(answers.far_columns.keys) <= set(answers.keys)


def test_answers_tell_by_the_picture_whether_a_frame_is_typical_of_its_cause() -> None:
    rows, new = draw_rows(0), draw_rows(1, 2)
    answers = fitted(rows, frozenset({"cause"}))
    assert answers.picture_columns is not None
    assert answers.picture_columns.keys == (PICTURE,)
    elsewhere = dict(new.values) | {PICTURE: new.values[PICTURE] + 50 * rows.values[PICTURE].std(axis=0)}
    np.testing.assert_allclose(answers.outputs(elsewhere)["causes"], 1 / (1 + len(KINDS)), rtol=1e-6)
    assert answers.record.cause is not None
    assert answers.record.cause.set_threshold > 1 / (1 + len(KINDS))


def test_answers_on_new_drives_tell_cause_severity_and_quality() -> None:
    answers, new = fitted(draw_rows(0, 12)), draw_rows(1, 12)
    outputs = answers.outputs(new.values)
    names = np.array(("none", *KINDS))
    right = names[outputs["causes"].argmax(axis=1)] == new.kind
    assert right[new.severity >= 3].mean() > 0.95
    assert right[new.kind == "none"].mean() > 0.9
    assert np.abs(outputs["severity"] - new.severity).mean() < 0.6
    assert new.quality is not None
    expected, low, high = outputs["quality"].T
    assert spearmanr(expected, new.quality).statistic > 0.85
    assert ((low <= new.quality) & (new.quality <= high)).mean() > 0.88
    assert answers.record.novelty_limit is not None
    assert (outputs["novelty"] <= answers.record.novelty_limit).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_answers_on_a_kind_that_no_fit_has_seen_are_unknown_and_keep_the_quality_in_the_interval(kind: str) -> None:
    rows, new = draw_rows(0, 12), draw_rows(1, 12, kinds=(kind,))
    seen = np.flatnonzero(rows.kind != kind)
    answers = fitted(rows.chosen(seen))
    severe = new.severity >= 4
    outputs = answers.outputs(new.values)
    assert answers.record.novelty_limit is not None
    assert (outputs["novelty"] > answers.record.novelty_limit)[severe].mean() > 0.8
    assert new.quality is not None
    _, low, high = outputs["quality"][severe].T
    assert ((low <= new.quality[severe]) & (new.quality[severe] <= high)).mean() > 0.8


def test_fit_answers_of_a_kind_that_moves_the_picture_takes_no_quality_from_it() -> None:
    rows = draw_rows(10)
    assert rows.quality is not None
    moved = np.where(rows.kind == "mud", "decalibration", rows.kind)
    one, other = (
        fitted(replace(rows, kind=moved, quality=np.where(moved == "decalibration", lost, rows.quality)))
        for lost in (0.0, 1.0)
    )
    assert one.record == other.record
    assert "decalibration" in one.record.kinds
    new = draw_rows(11, 2).values
    np.testing.assert_array_equal(one.outputs(new)["quality"], other.outputs(new)["quality"])


@settings(max_examples=examples(4), deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fit_answers_of_rows_in_another_order_of_the_same_drives_tells_the_same(seed: int) -> None:
    rows = draw_rows(seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    one, other = fitted(rows), fitted(rows.chosen(order))
    new = draw_rows(seed ^ 1, 2).values
    for name, numbers in one.outputs(new).items():
        np.testing.assert_allclose(other.outputs(new)[name], numbers, rtol=1e-3, atol=1e-4)


def test_fit_answers_twice_gives_the_same_bits() -> None:
    rows, new = draw_rows(3), draw_rows(4, 2).values
    one, other = fitted(rows), fitted(rows)
    assert one.record == other.record
    for name, numbers in one.outputs(new).items():
        np.testing.assert_array_equal(other.outputs(new)[name], numbers)


def test_fit_answers_of_more_features_than_answers_read_is_the_same_without_them() -> None:
    rows, more = draw_rows(5), draw_rows(5)
    extra = {FeatureKey.output_score(FeatureKind.ENERGY, Aggregate.Q95): more.values[PICTURE][:, :1]}
    wide = replace(more, values=dict(more.values) | extra)
    assert fitted(rows).record == fitted(wide).record
    assert fitted(wide).keys == fitted(rows).keys


def test_record_of_answers_states_what_frames_left_out_show() -> None:
    rows = draw_rows(6, 12)
    record = fitted(rows).record
    assert (record.frames, record.drives, record.rows) == (60, 12, len(rows))
    assert record.quality is not None
    assert record.cause is not None
    quality = record.quality
    assert quality.covered >= quality.coverage
    assert quality.worst_kind_covered >= 0.8
    assert quality.mean_absolute_error < quality.constant_error
    assert quality.median_width < quality.constant_width
    assert len(quality.clean_low) == 60
    assert list(quality.clean_low) == sorted(quality.clean_low)
    assert record.cause.names == ("none", *KINDS)
    assert record.cause.right.keys() <= set("12345")


def test_fit_answers_without_a_segmentation_tells_causes_and_refuses_quality() -> None:
    rows = draw_rows(7, segmented=False)
    assert fitted(rows, frozenset({"cause"})).record.quality is None
    with pytest.raises(CalibrationError, match="expected frames with a segmentation"):
        fitted(rows)


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        (draw_rows(8, 2, 3), "got 6 and 3"),
        (draw_rows(8, 4, 4, KINDS[:1]), "got 16 and 1"),
    ],
    ids=["frames", "kinds"],
)
def test_fit_answers_of_few_frames_or_kinds_is_refused_with_the_numbers(rows: DegradedRows, numbers: str) -> None:
    with pytest.raises(CalibrationError, match=f"expected 8 or more clean frames and 2 kinds.*{numbers}"):
        fitted(rows)


def test_fit_answers_of_a_single_drive_is_judged_by_blocks_of_it() -> None:
    record = fitted(draw_rows(9, 1, 20)).record
    assert record.drives == 1
    assert record.quality is not None


@pytest.mark.parametrize("folders", [1, 3])
def test_fit_answers_of_a_kind_of_a_users_own_tells_it_on_new_drives(folders: int) -> None:
    answers = fitted(with_own(draw_rows(0, 12), "mud", folders))
    record, new = answers.record, draw_rows(1, 12)
    assert record.cause is not None
    assert record.cause.own.keys() == {"mud"}
    assert (record.frames, record.drives) == (60, 12)
    names, causes = np.array(record.cause.names), answers.outputs(new.values)["causes"]
    severe = (new.kind == "mud") & (new.severity >= 2)
    right = (names[causes.argmax(axis=1)] == "mud")[severe].mean()
    assert right > 0.9
    assert record.cause.own["mud"] > 0.7
    assert record.quality is not None
    assert record.quality.worst_kind != "mud"


def test_fit_answers_with_a_kind_of_a_users_own_tells_the_expected_quality_as_without_it() -> None:
    rows, new = draw_rows(2, 12), draw_rows(3, 2).values
    one, other = fitted(with_own(rows, "mud")), fitted(rows.chosen(np.flatnonzero(rows.kind != "mud")))
    expected = [answers.outputs(new)["quality"][:, 0] for answers in (one, other)]
    np.testing.assert_allclose(expected[0], expected[1], rtol=1e-9)
    assert other.record.cause is not None
    assert other.record.cause.own == {}


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_limit_and_sets_of_causes_with_a_kind_of_a_users_own_hold_for_its_new_frames(seed: int, folders: int) -> None:
    answers = fitted(with_own(draw_rows(seed, 12, world=seed % 7), "noise", folders))
    new = with_own(draw_rows(seed ^ 1, 12, world=seed % 7), "noise")
    record, outputs = answers.record, answers.outputs(new.values)
    assert record.cause is not None
    assert record.novelty_limit is not None
    known = outputs["novelty"] <= record.novelty_limit
    truth = np.array([record.cause.names.index(name) for name in new.kind])
    held = outputs["causes"][np.arange(len(new)), truth] >= record.cause.set_threshold
    assert known.mean() > 0.9
    assert held.mean() > record.cause.coverage - 0.06
    assert known[new.own].mean() > 0.8


def test_answers_fitted_on_frames_changed_harmlessly_call_such_frames_none_and_keep_all_else() -> None:
    rows, new = draw_rows(0, 12), with_changed(draw_rows(1, 12), 1.0)
    before, after = fitted(rows), fitted(with_changed(rows, 1.0))
    assert after.record.frames == before.record.frames
    assert after.record.quality is not None
    assert before.record.quality is not None
    assert len(after.record.quality.clean_low) == len(before.record.quality.clean_low)
    told = []
    for answers in (before, after):
        outputs = answers.outputs(new.values)
        assert answers.record.novelty_limit is not None
        none = (outputs["causes"].argmax(axis=1) == 0) & (outputs["novelty"] <= answers.record.novelty_limit)
        told.append(none)
        assert none[new.severity == 0].mean() > 0.9
        assert none[new.severity > 2].mean() < 0.05
    assert told[0][new.changed].mean() < 0.2
    assert told[1][new.changed].mean() > 0.9
    assert np.abs(after.outputs(new.values)["severity"][new.changed]).mean() < 0.5
