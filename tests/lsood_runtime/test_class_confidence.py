# SPDX-License-Identifier: Apache-2.0
"""The confidence of classes beside the score: what a frame gets, where it is unknown and where it shows."""

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lsood_runtime import Assessment, BundleError, OoDMonitor, State, read_manifest
from lsood_runtime._answers import AnswerRule, answer_names
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._class_confidence import confidence_of_classes
from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import answers_by_hand, answers_manifest, frame_of_level, write_answers_bundle

LEVELS = (0.2, 0.5, 0.7, 0.95)


def _manifest() -> dict[str, Any]:
    return answers_manifest(with_map=True, confidence=True) | {"files": {}}


def confidence_of(verdict: Assessment) -> NDArray[np.float64]:
    assert verdict.class_confidence is not None
    return verdict.class_confidence


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder, with_map=True, confidence=True)


def test_assess_gives_the_mean_confidence_of_each_class_alone_and_in_a_batch(bundle: Path) -> None:
    frames = [frame_of_level(level, place) for place, level in enumerate(LEVELS)]
    with OoDMonitor(bundle) as monitor:
        assert monitor.self_test().passed
        for together, frame in zip(monitor.assess_batch(frames), frames, strict=True):
            shares, sums = answers_by_hand(frame)["class_confidence"]
            told = confidence_of(monitor.assess(frame))
            np.testing.assert_allclose(told, sums / shares, rtol=1e-6)
            assert not told.flags.writeable
            np.testing.assert_array_equal(confidence_of(together), told)


def test_class_without_a_cell_has_none() -> None:
    told = confidence_of_classes(np.array([[0.75, 0.0, 0.25], [0.6, 0.0, 0.25 + 1e-7]]))
    np.testing.assert_allclose(told, [0.8, 0, 1])  # and none is above 1, whatever single precision makes of a sum
    assert told.max() == 1


@pytest.mark.parametrize(
    "given",
    [
        [[0.5, math.nan], [0.4, 0.3]],
        [[0.5, 0.5], [0.4, math.inf]],
        [[0.5, 0.6], [0.4, 0.3]],
        [[1.5, -0.5], [0.4, 0.3]],
        [[0.5, 0.5], [0.6, 0.3]],
        [[0.5, 0.5], [0.4, -0.3]],
    ],
)
def test_confidence_that_cannot_be_is_unknown(given: list[list[float]]) -> None:
    np.testing.assert_array_equal(confidence_of_classes(np.array(given)), [0, 0])


def test_confidence_of_a_frame_without_a_verdict_is_unknown(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        for verdict in (monitor.assess(None), monitor.assess(np.zeros_like(frame_of_level(0.5)))):
            assert verdict.state is State.INVALID
            np.testing.assert_array_equal(confidence_of(verdict), [0, 0, 0])
            assert verdict.asdict()["class_confidence"] == ""


def test_number_that_is_none_makes_the_confidence_unknown_and_no_other_answer() -> None:
    manifest = Manifest.from_json(json.dumps(_manifest()))
    rows = {name: np.asarray(values)[None] for name, values in answers_by_hand(frame_of_level(0.5)).items()}
    rows["class_confidence"] = np.full((1, 2, 3), np.nan)
    answers = AnswerRule.of_bundle(manifest).answers(rows, 0)
    np.testing.assert_array_equal(answers.class_confidence, [0, 0, 0])
    assert answers.object_words == "none"


def test_verdict_with_a_confidence_survives_json_and_pickle(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        verdict = monitor.assess(frame_of_level(0.7, 2))
    text = json.loads(json.dumps(verdict.asdict(), allow_nan=False))["class_confidence"]
    told = {int(number): float(value) for number, value in (pair.split(":") for pair in text.split())}
    assert told == pytest.approx(dict(enumerate(confidence_of(verdict))), rel=1e-3)
    np.testing.assert_array_equal(confidence_of(pickle.loads(pickle.dumps(verdict))), confidence_of(verdict))


def test_bundle_without_a_temperature_tells_none(tmp_path: Path) -> None:
    write_answers_bundle(tmp_path, with_map=True)
    with OoDMonitor(tmp_path) as monitor:
        verdict = monitor.assess(frame_of_level(0.5))
    assert verdict.class_confidence is None
    assert "class_confidence" not in verdict.asdict()
    assert "class_confidence" not in answer_names(read_manifest(tmp_path).answers)


def test_manifest_that_says_nothing_of_a_confidence_is_read() -> None:
    manifest = _manifest()
    del manifest["answers"]["confidence"]
    record = Manifest.from_json(json.dumps(manifest)).answers
    assert record is not None
    assert record.confidence is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.0}, "answers.confidence.temperature to be above 0"),
        ({"drives": 11}, "answers.confidence.frames to be counts"),
        ({"loss": -0.1}, "answers.confidence.loss to be 0 or more"),
        ({"shares": [0.5, 0.5]}, "answers.confidence.shares to be a number for each of the 3 classes"),
        ({"class_accuracy": []}, "answers.confidence.shares to be a number for each of the 3 classes"),
        ({"error": 1.5}, "answers.confidence to be shares from 0 to 1"),
        ({"class_confidence": [0.5, 1.5, 0.5]}, "answers.confidence to be shares from 0 to 1"),
    ],
)
def test_manifest_of_a_confidence_out_of_range_is_refused(fields: dict[str, Any], message: str) -> None:
    manifest = _manifest()
    manifest["answers"]["confidence"] |= fields
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps(manifest))


def test_manifest_of_a_confidence_without_a_map_is_refused() -> None:
    manifest = _manifest()
    manifest["answers"]["map"] = None
    with pytest.raises(BundleError, match=r"answers\.confidence to be null without a map"):
        Manifest.from_json(json.dumps(manifest))


def test_selftest_of_a_confidence_that_is_off_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_answers_bundle(tmp_path, quality=False, cause=False, with_map=True, confidence=True, off=0.006)
    assert run(["selftest", str(tmp_path)]) == 1
    assert "of 0.50%: WRONG" in capsys.readouterr().out


def test_inspect_and_diff_tell_of_the_confidence(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(bundle)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "largest softmax of the logits over 1.5, fitted with labels of 10 frames of 2 drives; on drives left out: expected "
        "calibration error 0.020 (as they are 0.080), negative log-likelihood 0.350 (0.400), accuracy 0.900"
    ) in shown
    (other := tmp_path / "other").mkdir()
    write_answers_bundle(other, with_map=True)
    assert run(["diff", str(bundle), str(other)]) == 1
    assert "answers.confidence" in capsys.readouterr().out
