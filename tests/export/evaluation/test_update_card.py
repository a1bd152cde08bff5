# SPDX-License-Identifier: Apache-2.0
"""Figures of an evaluation written into its bundle."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle.evaluated_answers import EvaluatedAnswers, EvaluatedMasks, EvaluatedObjects
from export.bundle.evaluated_sentences import evaluated_sentences
from export.cli.evaluate import main as evaluate_command
from export.evaluation.answer_figures import FIT, answer_figures
from export.evaluation.answer_summary import answer_summary
from export.evaluation.evaluate import evaluate
from export.evaluation.evaluated_figures import evaluated_answers
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation, evaluated_files
from export.evaluation.update_card import update_card
from lsood_runtime import BundleError, OoDMonitor, read_manifest
from lsood_runtime.offline import open_bundle
from tests.conftest import write_scenes
from tests.export.evaluation.drawn_answers import drawn_frames, drawn_record, with_tiles
from tests.export.interrupted_calls import LEFT_TO_THE_COLLECTOR, interrupted_at
from tests.paths import FROZEN_BUNDLE


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FROZEN_BUNDLE, tmp_path / "monitor"))


@pytest.fixture
def evaluation(bundle: Path, tmp_path: Path) -> Evaluation:
    frames = write_scenes(tmp_path / "frames", 4, seed=1, size=(32, 64))
    return evaluate(EvaluationOptions(bundle, (frames,), kinds=("fog",), severities=(5,)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_update_card_changes_manifest_and_card_alone(bundle: Path, evaluation: Evaluation) -> None:
    before = contents(bundle)
    manifest = update_card(bundle, evaluation)
    after = contents(bundle)
    assert {name for name in before if after[name] != before[name]} == {"manifest.json", "README.md"}
    assert after.keys() == before.keys()
    assert manifest.evaluation["ind_frames"] == 4
    assert evaluated_files(manifest) == evaluation.asdict()["bundle_files"], "a report is still of this bundle"
    assert evaluated_files(manifest).keys() == before.keys() - {"manifest.json", "manifest.sha256", "README.md"}
    with OoDMonitor(bundle) as monitor:
        assert monitor.manifest == manifest


@pytest.mark.parametrize("name", ["segmentation.onnx", "evaluation.onnx", "weights.bin", "golden.npz"])
def test_update_card_of_a_file_changed_since_the_evaluation_is_refused(
    bundle: Path, evaluation: Evaluation, name: str
) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    before = contents(bundle)
    with pytest.raises(BundleError, match=f"expected {name}"):
        update_card(bundle, evaluation)
    assert contents(bundle) == before


def test_update_card_of_another_bundle_than_was_evaluated_is_refused(bundle: Path, evaluation: Evaluation) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "another"}))
    with pytest.raises(BundleError, match="evaluate it again"):
        update_card(bundle, evaluation)


@pytest.mark.parametrize("measure", ["miou", "agreement"])
def test_update_card_of_a_bundle_that_answers_states_error_cover_and_causes(
    measure: str, bundle: Path, evaluation: Evaluation
) -> None:
    kinds, record = ("fog", "mud", "night"), drawn_record(("fog", "mud", "night"), measure)
    assert record.cause is not None
    record = replace(record, cause=replace(record.cause, own={"mud": 0.9}))
    figures = answer_figures(drawn_frames(np.random.default_rng(3), kinds, ("frost",)), record)
    manifest = update_card(bundle, replace(evaluation, answers=figures))
    quality, causes, told = figures.quality[FIT], figures.causes, manifest.evaluation["answers"]
    assert causes is not None
    assert causes.clean_kept is not None
    assert told["quality"]["measure"] == measure
    group = told["quality"]["groups"][0]
    assert group["error"][0] == pytest.approx(quality.error.value)
    assert group["covered"][0] == pytest.approx(quality.covered.value)
    assert told["causes"]["clean_kept"][0] == pytest.approx(causes.clean_kept.value)
    assert told["causes"]["right"].keys() == {str(level) for level in causes.right}
    assert told["causes"]["own"].keys() == {"mud"}
    card = (bundle / "README.md").read_text()
    name = {"miou": "Expected mIoU", "agreement": "Expected agreement"}[measure]
    assert f"{name}, {quality.frames} frames of kinds of the fit" in card
    assert f"mean absolute error {quality.error.text('.3f', '.3f')}" in card
    assert f"holds the truth of {quality.covered.text('.1%', '.1%')}, promised 90%" in card
    assert "of mud called by it, the set of causes holds" in card
    said = answer_summary(figures)
    assert all(sentence in card for sentence in evaluated_sentences(evaluated_answers(figures)))
    assert set(evaluated_sentences(evaluated_answers(figures))) < set(said), "report and card say the same"


def test_update_card_of_a_bundle_with_tiles_and_a_map_states_their_figures(
    bundle: Path, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("fog", "mud", "night")
    record = replace(with_tiles(drawn_record(kinds)), quality=None, cause=None)
    figures = answer_figures(drawn_frames(np.random.default_rng(3), kinds, ("frost",)), record)
    objects = EvaluatedObjects((0.02, 0.01, 0.06), 1 / 12, "frames", 50, 3, 1)
    masks = EvaluatedMasks(
        "things",
        7,
        0.02,
        (0.6, 0.5, 0.7),
        (0.1, 0.05, 0.2),
        (0.95, 0.0, 1.0),
        9,
        8,
        2,
        (0.4, 0.0, 1.0),
        None,
        (0.3, 0.2, 0.4),
    )
    told = EvaluatedAnswers(objects=objects, masks=(masks,))
    monkeypatch.setattr("export.evaluation.update_card.object_figures", lambda _: told)
    manifest = update_card(bundle, replace(evaluation, answers=figures))
    card, kept = (bundle / "README.md").read_text(), manifest.evaluation["answers"]
    assert figures.tiles is not None
    assert figures.tiles.clean_kept is not None
    share = figures.tiles.clean_kept.text(".1%", ".1%")
    assert f"Abnormal tiles: {share} of frames in distribution have none, promised is that at most 5% of frames" in card
    assert "Frames with an abnormal tile are most common in" in card
    assert (
        "Unknown objects: 2.0% (1.0% to 6.0%) of 50 in-distribution frames show one, promised is that at most 8.4% of frames "
        "of known drives do; left out: 3 frames whose mask holds an object and 1 frame whose map is unknown." in card
    )
    assert (
        "Masks of things, 7 frames: average precision 0.600 (0.500 to 0.700), 0.020 by chance, false pixels at 95 % found "
        "10.0% (5.0% to 20.0%), AUROC 0.950; 8 of 9 objects found in part or whole, 2 false objects; sIoU 0.400, PPV -, "
        "mean F1 0.300 (0.200 to 0.400)." in card
    )
    assert kept["objects"]["frames"] == 50
    assert kept["masks"][0]["average_precision"] == [0.6, 0.5, 0.7]


def test_update_card_of_a_bundle_without_answers_says_nothing_of_them(bundle: Path, evaluation: Evaluation) -> None:
    assert update_card(bundle, evaluation).evaluation["answers"] is None
    assert "Cause: " not in (bundle / "README.md").read_text()


@LEFT_TO_THE_COLLECTOR
def test_update_card_interrupted_before_or_after_any_system_call_leaves_a_bundle_that_verifies(
    bundle: Path, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    files, ends = read_manifest(bundle).files.keys(), set()
    moment, interrupted = 0, True
    while interrupted:
        moment += 1
        shutil.rmtree(bundle)
        shutil.copytree(FROZEN_BUNDLE, bundle)
        interrupted, _ = interrupted_at(moment, lambda: update_card(bundle, evaluation))
        manifest = open_bundle(bundle).manifest
        assert manifest.files.keys() == files
        ends.add(bool(manifest.evaluation))
    assert moment > 20
    assert ends == {False, True}


def test_evaluate_puts_back_a_bundle_that_a_killed_update_set_aside(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.rename(tmp_path / ".monitor.replaced.0123abcd")
    frames = write_scenes(tmp_path / "frames", 4, seed=1, size=(32, 64))
    flags = ["--ind", str(frames), "--synthetic", "fog", "--severities", "5", "--quiet", "--update-card"]
    assert evaluate_command([str(bundle), *flags]) == 0, capsys.readouterr().err
    assert read_manifest(bundle).evaluation["ind_frames"] == 4
    assert {path.name for path in tmp_path.iterdir()} == {"monitor", "frames"}
