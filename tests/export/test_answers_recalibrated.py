# SPDX-License-Identifier: Apache-2.0
"""Answers through a recalibration: fitted anew, kept, or refused before anything is measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.bundle.renewed_answers import check_answer_options, renewed_answers
from export.calibration.answer_options import AnswerOptions
from export.calibration.cutout_fit import cutout_passes
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.frame_split import split_frames
from export.calibration.options import CalibrationOptions
from export.calibration.patched_rows import patched_passes
from export.calibration.recalibration_options import RecalibrationOptions
from export.errors import UsageError
from export.recalibrate import recalibrate
from lsood_runtime import read_manifest
from lsood_runtime.offline import answer_sentences
from tests.export.answered_bundle import (
    BOTH,
    CALIBRATION,
    EVERY,
    MAP,
    TILES,
    answers_on,
    assert_same_answers,
    red_cutout,
)
from tests.export.pipeline.told_reporter import ToldReporter


def test_recalibrate_on_frames_fits_the_answers_of_the_bundle_anew(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    options = RecalibrationOptions(answered, tmp_path / "new", frames=(drives,), calibration=CALIBRATION)
    recalibrate(options)
    assert_same_answers(answers_on(answered, drives), answers_on(tmp_path / "new", drives), 1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": BOTH, "frames": (), "features": (Path("features.npz"),)}, "expected --frames with --answers"),
        ({"answers": AnswerOptions(labels=(Path(),))}, "expected PNG labels in the folders given by --labels"),
        ({"answers": AnswerOptions(("none",))}, ""),
        ({"answers": AnswerOptions(("map",), road_classes=(0,))}, ""),
        ({"answers": AnswerOptions(road_classes=(250,))}, "expected --road-class of the"),
        (
            {"answers": AnswerOptions(road_classes=(0,)), "frames": (), "features": (Path("f.npz"),)},
            "expected --road-class",
        ),
        ({"answers": AnswerOptions(("map",), objects=(Path("own/cut.png"),))}, ""),
        (
            {"answers": AnswerOptions(objects=(Path("own/cut.png"), Path("own/photo.jpg")))},
            r"alpha channel.* in own/photo\.jpg",
        ),
        (
            {"answers": AnswerOptions(objects=(Path("own/cut.png"),)), "frames": (), "features": (Path("f.npz"),)},
            "expected --objects with --frames and --answers map",
        ),
        ({"answers": AnswerOptions(("cause",), causes={"ice": (Path("ice"),)})}, "expected .* ice"),
        (
            {"answers": AnswerOptions(causes={"ice": (Path("ice"),)}), "frames": (), "features": (Path("f.npz"),)},
            "expected --cause with --frames and --answers cause",
        ),
    ],
)
def test_recalibrate_refuses_answers_that_cannot_be_fitted_before_it_measures(
    given: dict[str, Any], message: str, answered: Path, drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (own := Path("own")).mkdir()
    red_cutout().save(own / "cut.png")
    red_cutout().convert("RGB").save(own / "photo.jpg")
    chosen: dict[str, Any] = {"frames": (drives,), "calibration": CALIBRATION} | given
    options = RecalibrationOptions(answered, **chosen)
    if not message:
        check_answer_options(options, EvaluationGraphs(answered))
        return
    with pytest.raises(UsageError, match=message):
        check_answer_options(options, EvaluationGraphs(answered))


def test_recalibrate_with_labels_of_some_frames_is_refused_before_it_measures(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((80, 160), np.uint8)).save(tmp_path / "a_0000.png")
    options = RecalibrationOptions(
        answered, frames=(drives,), calibration=CALIBRATION, answers=AnswerOptions(labels=(tmp_path,))
    )
    with pytest.raises(UsageError, match=r"expected a label for every calibration frame, a_0001\.png has none"):
        check_answer_options(options, EvaluationGraphs(answered))


def _measured_as(measure: str, bundle: Path) -> EvaluationGraphs:
    """Graphs of a bundle whose manifest states another measure of the quality."""
    graphs = EvaluationGraphs(bundle)
    record = graphs.manifest.answers
    assert record is not None
    assert record.quality is not None
    stated = replace(record, quality=replace(record.quality, measure=measure))
    graphs.manifest = replace(graphs.manifest, answers=stated)
    return graphs


def test_recalibrate_without_labels_of_a_quality_that_has_them_is_refused_with_remedies_that_work(
    answered: Path, drives: Path, labels: Path
) -> None:
    options = RecalibrationOptions(answered, frames=(drives,), calibration=CALIBRATION)
    graphs = _measured_as("miou", answered)
    with pytest.raises(UsageError, match="expected --labels for the new frames, got none") as refused:
        check_answer_options(options, graphs)
    assert "add --labels DIR" in str(refused.value)
    named = tuple(str(refused.value).rpartition("--answers ")[2].split())
    assert named == ("quality", "cause", "tiles", "map")
    for remedy in (AnswerOptions(named), AnswerOptions(labels=(labels,)), AnswerOptions(("cause",))):
        check_answer_options(replace(options, answers=remedy), graphs)
    check_answer_options(options, _measured_as("agreement", answered))
    check_answer_options(replace(options, frames=(), features=(Path("features.npz"),)), graphs)


def test_recalibrate_on_features_keeps_the_answers_as_they_are(answered: Path, drives: Path, tmp_path: Path) -> None:
    saved, told = tmp_path / "features.npz", ToldReporter()
    none = AnswerOptions(("none",))
    first = RecalibrationOptions(
        answered, tmp_path / "a", frames=(drives,), save_features=saved, calibration=CALIBRATION, answers=none
    )
    recalibrate(first)
    assert read_manifest(tmp_path / "a").answers is None
    chosen = CalibrationOptions(detector="mahalanobis", group_by="prefix", rates={"10%": 0.1})
    second = RecalibrationOptions(answered, tmp_path / "b", features=(saved,), calibration=chosen)
    recalibrate(second, told)
    assert any("keeping the answers beside the score as they are" in stage for stage in told.lines)
    assert read_manifest(tmp_path / "b").answers == read_manifest(answered).answers
    assert_same_answers(answers_on(answered, drives), answers_on(tmp_path / "b", drives))


def test_renewed_answers_of_tiles_alone_degrade_no_frame(answered: Path, drives: Path) -> None:
    told, frames = ToldReporter(), tuple(sorted(drives.iterdir()))[::4]
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=TILES)
    split = split_frames(frames, options.calibration)
    answers = renewed_answers(options, EvaluationGraphs(answered), split, told)
    assert answers is not None
    assert told.lines == [
        "fitting tiles to patched calibration frames",
        f"{patched_passes(12):,} passes of the network for abnormal tiles (clean frames: 12)",
    ]
    record, outputs = answers.record, {value.name for value in answers.graph.graph.output}
    assert (record.novelty_limit, record.kinds, record.quality, record.cause) == (None, (), None, None)
    assert (record.frames, record.drives, record.rows, outputs) == (12, 4, patched_passes(12), {"tiles"})


def test_renewed_answers_of_a_map_learn_from_objects_of_the_users_own_and_say_of_how_many(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    red_cutout().save(tmp_path / "cut.png")
    frames, given = tuple(sorted(drives.iterdir()))[::4], AnswerOptions(("map",), objects=(tmp_path,))
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=given)
    graphs, split = EvaluationGraphs(answered), split_frames(frames, options.calibration)
    with_own, without = (
        renewed_answers(replace(options, answers=answers), graphs, split, ToldReporter()) for answers in (given, MAP)
    )
    assert with_own is not None
    assert without is not None
    own, drawn = with_own.record.map, without.record.map
    assert own is not None
    assert drawn is not None
    assert (own.own_objects, drawn.own_objects) == (1, 0)
    assert own.slopes != drawn.slopes
    assert (
        "learnt from drawn objects and 1 cut-out of the user's own"
        in answer_sentences(with_own.record)["unknown objects"]
    )
    assert "learnt from" not in answer_sentences(without.record)["unknown objects"]
    graphs.manifest = replace(graphs.manifest, answers=with_own.record)
    plain = replace(options, answers=AnswerOptions())
    with pytest.raises(
        UsageError, match=r"has learnt from 1 cut-outs of the user's own, got none: add --objects DIR, .*map"
    ):
        check_answer_options(plain, graphs)
    check_answer_options(replace(plain, answers=MAP), graphs)


def test_renewed_answers_of_a_map_alone_degrade_no_frame(answered: Path, drives: Path) -> None:
    told, frames = ToldReporter(), tuple(sorted(drives.iterdir()))[::4]
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=MAP)
    answers = renewed_answers(options, EvaluationGraphs(answered), split_frames(frames, options.calibration), told)
    assert answers is not None
    assert told.lines[0] == "fitting map to calibration frames with pasted objects"
    assert not any("for the answers" in line for line in told.lines)
    record, outputs = answers.record, {value.name for value in answers.graph.graph.output}
    assert (record.novelty_limit, record.kinds, record.quality, record.cause) == (None, (), None, None)
    assert (record.frames, record.drives, outputs) == (12, 4, {"anomaly_map"})
    assert 12 < record.rows <= cutout_passes(12) + 12


@pytest.mark.slow
def test_renewed_answers_by_several_processes_are_those_of_one_to_the_last_bit(answered: Path, drives: Path) -> None:
    frames = tuple(sorted(drives.iterdir()))[::4]
    options = RecalibrationOptions(answered, frames=frames, calibration=CALIBRATION, answers=EVERY, threads=1)
    split = split_frames(frames, options.calibration)
    one, several = (
        renewed_answers(replace(options, workers=workers), EvaluationGraphs(answered, 1), split, ToldReporter())
        for workers in (1, 3)
    )
    assert one is not None
    assert several is not None
    assert several.record == one.record
    assert several.graph.graph.SerializeToString(deterministic=True) == one.graph.graph.SerializeToString(
        deterministic=True
    )
