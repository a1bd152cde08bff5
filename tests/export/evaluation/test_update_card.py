# SPDX-License-Identifier: Apache-2.0
"""Figures of an evaluation written into its bundle."""

import json
import os
import shutil
from pathlib import Path

import pytest

from export.cli.evaluate import main as evaluate_command
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation
from export.evaluation.update_card import update_card
from lsood_runtime import BundleError, OoDMonitor, read_manifest
from lsood_runtime.offline import open_bundle
from tests.conftest import write_scenes
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
