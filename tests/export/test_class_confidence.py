# SPDX-License-Identifier: Apache-2.0
"""A map fitted with labels: the temperature in the manifest, the confidence of classes in every form, calibrate."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from export.answers.confidence import cell_step
from export.bundle.renewed_answers import check_answer_options, renewed_answers
from export.calibration.answer_options import AnswerOptions
from export.calibration.evaluation_graphs import EvaluationGraphs
from export.calibration.frame_split import split_frames
from export.calibration.recalibration_options import RecalibrationOptions
from export.errors import CalibrationError, UsageError
from export.evaluation.evaluate import evaluate
from export.evaluation.options import EvaluationOptions
from export.frames.files import FrameFiles
from export.frames.labels import read_label
from export.recalibrate import recalibrate
from export.reporter import SILENT
from lsood_runtime import OoDMonitor, read_manifest
from lsood_runtime.offline import ConfidenceRecord
from tests.conftest import made_once
from tests.export.answered_bundle import CALIBRATION

ROWS, COLUMNS = 16, 32
IGNORED = 255


@pytest.fixture(scope="session")
def labels(drives: Path, shared_folder: Path) -> Path:
    """Labels by the brightness of the frames, half as large as these, the darkest pixels ignored."""

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        for path in drives.iterdir():
            with Image.open(path) as image:
                grey = np.asarray(image.convert("L"))[::2, ::2]
            Image.fromarray(np.where(grey < 30, IGNORED, grey // 64).astype(np.uint8)).save(folder / path.name)

    return made_once(shared_folder / "labels" / "answered", write)


@pytest.fixture(scope="session")
def confident(answered: Path, drives: Path, labels: Path, shared_folder: Path) -> Path:
    """A bundle with a map, a temperature and the fused graph."""
    answers = AnswerOptions(("map",), labels=(labels,))

    def make(folder: Path) -> None:
        recalibrate(RecalibrationOptions(answered, folder, frames=(drives,), calibration=CALIBRATION, answers=answers))

    return made_once(shared_folder / "bundles" / "confident" / "monitor", make)


def confidence_record(bundle: Path) -> ConfidenceRecord:
    answers = read_manifest(bundle).answers
    assert answers is not None
    assert answers.confidence is not None
    return answers.confidence


def cells_by_hand(bundle: Path, drives: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits ``(n, K)`` and labels of every cell of all frames, the label of a cell that of its first pixel's centre."""
    graphs, logits, ids = EvaluationGraphs(bundle), [], []
    shape = graphs.manifest.segmentation
    stride = -(-(shape.height or 0) // ROWS), -(-(shape.width or 0) // COLUMNS)
    for path, frame in zip((files := FrameFiles((drives,))).paths, files, strict=True):
        maps, _ = graphs.of_maps(np.array(frame))
        (rows,) = (values for key, values in maps.items() if str(key) == f"logit_map/{ROWS}x{COLUMNS}")
        label = np.asarray(Image.open(labels / path.name))
        down = ((np.arange(ROWS) * stride[0] + 0.5) * label.shape[0] / (shape.height or 1)).astype(int)
        across = ((np.arange(COLUMNS) * stride[1] + 0.5) * label.shape[1] / (shape.width or 1)).astype(int)
        own = label[down][:, across].ravel()
        logits.append(rows.reshape(-1, ROWS * COLUMNS).T[own != IGNORED])
        ids.append(own[own != IGNORED])
    return np.concatenate(logits).astype(np.float64), np.concatenate(ids).astype(np.int64)


def test_temperature_is_that_of_the_smallest_loss_over_all_cells(confident: Path, drives: Path, labels: Path) -> None:
    record, (logits, ids) = confidence_record(confident), cells_by_hand(confident, drives, labels)

    def loss(temperature: float) -> float:
        return -float(log_softmax(logits / temperature, axis=1)[np.arange(len(ids)), ids].mean())

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8})
    assert loss(record.temperature) == pytest.approx(best.fun, abs=1e-6)
    assert record.loss_before == pytest.approx(loss(1.0), rel=1e-6)
    assert record.loss >= best.fun - 1e-9  # drives that were left out are never better than those that fit
    assert record.accuracy == pytest.approx((logits.argmax(axis=1) == ids).mean())
    assert (record.frames, record.drives) == (48, 4)
    assert "| confidence | largest softmax of the logits over" in (confident / "README.md").read_text()


def test_confidence_of_classes_is_that_of_the_logits_in_every_form(confident: Path, drives: Path) -> None:
    temperature, graphs = confidence_record(confident).temperature, EvaluationGraphs(confident)
    session = ort.InferenceSession(str(confident / "monitor.onnx"), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    with OoDMonitor(confident) as monitor:
        assert monitor.self_test().passed
        for frame in map(np.array, list(FrameFiles((drives,)))[::13]):
            (rows,) = (values for key, values in graphs.of_maps(frame)[0].items() if str(key).startswith("logit_map"))
            assert cell_step(ROWS, COLUMNS) == 1
            shares = softmax(rows.reshape(-1, ROWS * COLUMNS).T.astype(np.float64) / temperature, axis=1)
            classes = shares.argmax(axis=1)
            means = [
                shares[classes == i].max(axis=1).mean() if (classes == i).any() else 0 for i in range(shares.shape[1])
            ]
            told = monitor.assess(frame).class_confidence
            assert told is not None
            np.testing.assert_allclose(told, means, rtol=1e-4)
            given = dict(zip(names, session.run(None, {"frame": frame[None]}), strict=True))["class_confidence"][0]
            np.testing.assert_allclose(given[0], [(classes == i).mean() for i in range(shares.shape[1])], atol=1e-6)
            np.testing.assert_allclose(given[1], given[0] * means, atol=1e-4)


def test_evaluate_with_labels_tells_how_far_confidence_and_accuracy_are_apart(
    confident: Path, drives: Path, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[Path]()

    def read_and_told(path: Path) -> NDArray[np.uint8]:
        read.append(path)
        return read_label(path)

    monkeypatch.setattr("export.evaluation.scored_sets.read_label", read_and_told)
    options = EvaluationOptions(confident, ind=(drives,), labels=(labels,), kinds=("fog",), severities=(5,), every=12)
    result, (logits, ids) = evaluate(options), cells_by_hand(confident, drives, labels)
    assert max(Counter(read).values()) == 2, "once for the frame, once for its fog, for overlap and confidence alike"
    own, fog = result.reliability
    assert (own.cells, own.frames, fog.name, fog.frames) == (len(ids), 48, "fog", 4)
    temperature = confidence_record(confident).temperature
    for interval, divisor in ((own.error_before, 1.0), (own.error, temperature)):
        shares = torch.from_numpy(softmax(logits / divisor, axis=1))
        expected = multiclass_calibration_error(shares, torch.from_numpy(ids), shares.shape[1], n_bins=15, norm="l1")
        assert interval is not None
        assert interval.value == pytest.approx(float(expected), abs=1e-4)
    json.dumps(result.asdict(), allow_nan=False)
    assert all(each.anomaly is not None for each in own.classes)


def test_recalibrate_fits_the_temperature_anew_with_labels_and_is_refused_without(
    confident: Path, drives: Path, labels: Path
) -> None:
    options = RecalibrationOptions(confident, frames=(drives,), calibration=CALIBRATION)
    graphs = EvaluationGraphs(confident)
    with pytest.raises(UsageError, match=r"the confidence of classes that .* tells is calibrated by them") as refused:
        check_answer_options(options, graphs)
    named = AnswerOptions(tuple(str(refused.value).rpartition("--answers ")[2].split()))
    assert named.answers == ("map",)
    split = split_frames(FrameFiles((drives,)).paths, CALIBRATION)
    for answers, told in ((named, False), (AnswerOptions(labels=(labels,)), True)):
        given = replace(options, answers=answers)
        check_answer_options(given, graphs)
        renewed = renewed_answers(given, graphs, split, SILENT)
        assert renewed is not None
        assert (renewed.record.confidence is not None) is told
        if renewed.record.confidence is not None:
            assert renewed.record.confidence.temperature == pytest.approx(confidence_record(confident).temperature)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (IGNORED, CalibrationError, "expected two or more labels with pixels that count, got 0: check --labels"),
        (60, UsageError, r"a_.*\.png: expected label ids below \d+ or ignored ones, got 60"),
    ],
)
def test_labels_that_tell_nothing_of_the_confidence_are_refused(
    value: int, kind: type[Exception], message: str, confident: Path, drives: Path, tmp_path: Path
) -> None:
    for path in drives.iterdir():
        Image.fromarray(np.full((40, 80), value, np.uint8)).save(tmp_path / path.name)
    options = RecalibrationOptions(
        confident, frames=(drives,), calibration=CALIBRATION, answers=AnswerOptions(labels=(tmp_path,))
    )
    split, graphs = split_frames(FrameFiles((drives,)).paths, CALIBRATION), EvaluationGraphs(confident)
    with pytest.raises(kind, match=message):
        renewed_answers(options, graphs, split, SILENT)
