# SPDX-License-Identifier: Apache-2.0
"""Confidence against labels in an evaluation: figures by set and class, sentences, table and section of the report."""

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from export.cli.evaluation_table import _class_table
from export.evaluation.interval import FEWEST_DRIVES
from export.evaluation.options import EvaluationOptions
from export.evaluation.reliability_judge import ReliabilityJudge
from export.evaluation.reliability_section import TITLE, class_rows, reliability_section
from export.evaluation.reliability_summary import reliability_sentences
from export.evaluation.result import Evaluation
from export.evaluation.set_drives import SetDrives
from export.features.key import FeatureKey

GRID, CLASSES, IGNORED = (6, 8), 4, 255
KEY = FeatureKey.logit_map(*GRID)
SEGMENTATION = (24, 32)
IND = ("in distribution", False)


def drawn_frame(seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Logits of a frame, a label of one pixel for each of the segmentation's, and an anomaly map."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (CLASSES, *GRID)).astype(np.float32)
    logits[3] = -30  # which no cell is predicted as
    label = rng.integers(0, CLASSES, SEGMENTATION).astype(np.uint8)
    label[rng.random(SEGMENTATION) < 0.2] = IGNORED
    right = rng.random(GRID) < 0.6
    label[::4, ::4][right] = logits.argmax(axis=0)[right]
    return logits, label, rng.normal(size=GRID).astype(np.float32)


def judged(count: int, temperature: float | None, *, unknown: int = 0) -> ReliabilityJudge:
    judge = ReliabilityJudge(KEY, temperature, (IGNORED,))
    for seed in range(count):
        logits, label, anomaly = drawn_frame(seed)
        judge.judge(IND, {KEY: logits.ravel()}, label, SEGMENTATION, anomaly if seed >= unknown else None)
    return judge


def pixels(count: int) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.float64]]:
    """Logits ``(n, K)``, labels and anomalies of the cells that count."""
    logits, labels, anomalies = [], [], []
    for seed in range(count):
        own, label, anomaly = drawn_frame(seed)
        truth = label[::4, ::4].ravel()
        logits.append(own.reshape(CLASSES, -1).T[truth != IGNORED])
        labels.append(truth[truth != IGNORED])
        anomalies.append(anomaly.ravel()[truth != IGNORED])
    return (
        torch.from_numpy(np.concatenate(logits)).double(),
        torch.from_numpy(np.concatenate(labels)).long(),
        np.concatenate(anomalies).astype(np.float64),
    )


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_figures_are_those_of_torchmetrics(temperature: float) -> None:
    drives = SetDrives.of_names([f"d{i // 2}" for i in range(2 * FEWEST_DRIVES)], np.random.default_rng(0))
    (figures,) = judged(2 * FEWEST_DRIVES, temperature).figures(IND[0], drives)
    logits, labels, anomalies = pixels(2 * FEWEST_DRIVES)
    for interval, divisor in ((figures.error_before, 1.0), (figures.error, temperature)):
        expected = multiclass_calibration_error((logits / divisor).softmax(1), labels, CLASSES, n_bins=15, norm="l1")
        assert interval is not None
        assert interval.value == pytest.approx(float(expected), abs=1e-6)
        assert interval.low < interval.value < interval.high
    accuracy = multiclass_accuracy(logits.argmax(1), labels, CLASSES, average="micro")
    assert figures.accuracy.value == pytest.approx(float(accuracy))
    assert (figures.frames, figures.cells) == (2 * FEWEST_DRIVES, len(labels))
    assert [each.number for each in figures.classes] == [0, 1, 2]
    shares = softmax(logits.numpy() / temperature, axis=1)
    for each in figures.classes:
        own = logits.numpy().argmax(axis=1) == each.number
        assert each.share == pytest.approx(own.mean())
        assert each.accuracy == pytest.approx((labels.numpy()[own] == each.number).mean())
        assert each.confidence == pytest.approx(shares[own].max(axis=1).mean())
        assert each.anomaly == pytest.approx(anomalies[own].mean())
    json.dumps(figures.asdict(), allow_nan=False)


def test_frames_without_a_map_or_a_pixel_that_counts_are_told_of_by_the_others() -> None:
    judge = judged(3, None, unknown=3)
    logits, label, _ = drawn_frame(0)
    judge.judge(IND, {KEY: logits.ravel()}, np.full_like(label, IGNORED), SEGMENTATION, None)
    judge.judge(("fog", True), {KEY: logits.ravel()}, label, SEGMENTATION, None)
    judge.judge(("void", False), {KEY: logits.ravel()}, np.full_like(label, IGNORED), SEGMENTATION, None)
    drives = SetDrives(np.arange(4))
    own, fog = judge.figures(IND[0], drives)
    assert (own.frames, own.error, own.after) == (3, None, None)
    assert not own.accuracy.known  # of four drives
    assert {each.anomaly for each in own.classes} == {None}
    assert (fog.name, fog.frames) == ("fog", 1)
    assert {each.name for each in judge.figures("another", drives)} == {own.name, "fog"}


def _result(temperature: float | None) -> Evaluation:
    judge = judged(4, temperature, unknown=4 if temperature is None else 0)
    logits, label, _ = drawn_frame(7)
    judge.judge(("fog", True), {KEY: logits.ravel()}, label, SEGMENTATION, None)
    options = EvaluationOptions(cast("Any", None), ())
    groups = judge.figures(IND[0], SetDrives(np.zeros(4, np.int64)))
    named = {"reliability": groups, "temperature": temperature, "options": options, "drive_alarms": ()}
    return cast("Evaluation", SimpleNamespace(**named))


@pytest.mark.parametrize("temperature", [None, 1.6])
def test_section_and_sentence_tell_confidence_before_and_after(temperature: float | None) -> None:
    result, titles = _result(temperature), []

    def figure(title: str, caption: str, svg: str) -> str:
        titles.append(title)
        return svg

    page = reliability_section(result, figure)
    assert TITLE in page
    assert titles == ["Confidence and accuracy"]
    assert ("over the temperature</text>" in page) is (temperature is not None)
    assert '<th scope="row">fog</th>' in page
    (sentence,) = reliability_sentences(result.reliability, temperature)
    assert ("with its temperature of 1.6" in sentence) is (temperature is not None)
    assert ("it was fitted without labels" in sentence) is (temperature is None)
    assert len(class_rows(result)) == _class_table(result).row_count == 3
    assert [row[-1] == "-" for row in class_rows(result)] == [temperature is None] * 3


def test_reliability_of_a_set_with_labels_is_told_where_the_in_distribution_set_has_none() -> None:
    judge = ReliabilityJudge(KEY, None, (IGNORED,))
    logits, label, _ = drawn_frame(7)
    judge.judge(("night", False), {KEY: logits.ravel()}, label, SEGMENTATION, None)
    (night,) = judge.figures(IND[0], SetDrives(np.zeros(4, np.int64)))
    assert (night.name, night.frames) == ("night", 1)
    options = EvaluationOptions(cast("Any", None), ())
    named = {"reliability": (night,), "temperature": None, "options": options, "drive_alarms": ()}
    result = cast("Evaluation", SimpleNamespace(**named))
    assert '<th scope="row">night</th>' in reliability_section(result, lambda _title, _caption, svg: svg)
    assert len(class_rows(result)) == _class_table(result).row_count == 3
    (sentence,) = reliability_sentences(result.reliability, None)
    assert "night" in sentence


def test_section_without_labels_is_empty() -> None:
    result = cast("Any", SimpleNamespace(reliability=(), temperature=None))
    assert reliability_section(result, lambda *_: "") == ""
    assert reliability_sentences((), None) == []
