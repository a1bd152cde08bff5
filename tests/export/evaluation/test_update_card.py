# SPDX-License-Identifier: Apache-2.0
"""Figures of an evaluation written into its bundle."""

import json
import shutil
from pathlib import Path

import pytest

from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation
from export.evaluation.update_card import update_card
from lsood_runtime import BundleError, OoDMonitor
from tests.conftest import write_scenes
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
