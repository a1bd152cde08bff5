# SPDX-License-Identifier: Apache-2.0
"""The calibrated confidence of pixels against scipy, scikit-learn, torch and torchmetrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import log_loss as mean_log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from export.answers.confidence import (
    LARGEST_TEMPERATURE,
    LabelledPixels,
    calibrate_confidence,
    class_confidence,
    confidences,
    fit_temperature,
    log_loss,
)
from export.answers.reliability import BINS, bin_sums, calibration_error


def drawn(seed: int, classes: int, count: int = 400, sharp: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are as much too sharp, and labels drawn from their softmax."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.5, 3), (count, classes))
    shares = softmax(logits, axis=1)
    labels = (shares.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=classes - 1)
    return (sharp * logits).astype(np.float32), labels


CASES = {"seed": st.integers(0, 2**32 - 1), "classes": st.sampled_from([2, 3, 7, 19])}


@settings(max_examples=8, deadline=None)
@given(**CASES)
def test_temperature_has_the_smallest_log_loss_of_scikit_learn(seed: int, classes: int) -> None:
    logits, labels = drawn(seed, classes)

    def loss(logarithm: float) -> float:
        shares = softmax(logits.astype(np.float64) / np.exp(logarithm), axis=1)
        return float(mean_log_loss(labels, shares, labels=range(classes)))

    bound = float(np.log(LARGEST_TEMPERATURE))
    best = minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-7})
    assert loss(float(np.log(fit_temperature(logits, labels)))) <= best.fun + 1e-9
    assert fit_temperature(logits, labels) == pytest.approx(np.exp(best.x), rel=1e-2)


@settings(max_examples=20, deadline=None)
@given(**CASES, temperature=st.floats(0.1, 10))
def test_confidence_and_loss_are_those_of_torch(seed: int, classes: int, temperature: float) -> None:
    logits, labels = drawn(seed, classes, count=50)
    soft = torch.from_numpy(logits).double() / temperature
    np.testing.assert_allclose(confidences(logits, temperature), soft.softmax(1).amax(1).numpy(), rtol=1e-9)
    losses = torch.nn.functional.cross_entropy(soft, torch.from_numpy(labels), reduction="none").numpy()
    np.testing.assert_allclose(log_loss(logits, labels, temperature), losses, rtol=1e-9, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(**CASES, parts=st.integers(1, 4))
def test_calibration_error_of_sums_that_are_added_up_is_that_of_torchmetrics(
    seed: int, classes: int, parts: int
) -> None:
    logits, labels = drawn(seed, classes)
    right = logits.argmax(axis=1) == labels
    sums = sum(
        (bin_sums(confidences(logits[i::parts]), right[i::parts]) for i in range(parts)), start=np.zeros((BINS, 3))
    )
    shares = torch.from_numpy(softmax(logits.astype(np.float64), axis=1))
    expected = multiclass_calibration_error(shares, torch.from_numpy(labels), classes, n_bins=BINS, norm="l1")
    assert float(calibration_error(sums)) == pytest.approx(float(expected), abs=1e-6)
    assert np.isnan(calibration_error(np.zeros((BINS, 3))))


@pytest.mark.parametrize(("right", "temperature"), [(True, 1 / LARGEST_TEMPERATURE), (False, LARGEST_TEMPERATURE)])
def test_temperature_of_pixels_that_are_all_right_or_all_wrong_is_a_bound(right: bool, temperature: float) -> None:
    logits = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    labels = logits.argmax(axis=1) if right else logits.argmin(axis=1)
    assert fit_temperature(logits, labels) == temperature


@pytest.mark.parametrize("seed", range(3))
def test_record_states_errors_of_folds_that_did_not_fit(seed: int) -> None:
    logits, labels = drawn(seed, 4, count=3000)
    fold = np.random.default_rng(seed).integers(0, 3, len(labels))
    record = calibrate_confidence(LabelledPixels(logits, labels, fold, 30, 6))
    assert record.temperature == pytest.approx(2.5, rel=0.15)  # the logits were made so much too sharp
    shares = np.empty((len(labels), 4))
    for number in range(3):
        shares[fold == number] = softmax(
            logits[fold == number].astype(np.float64) / fit_temperature(logits[fold != number], labels[fold != number]),
            axis=1,
        )
    assert record.loss == pytest.approx(mean_log_loss(labels, shares), rel=1e-5)
    assert record.loss_before == pytest.approx(
        mean_log_loss(labels, softmax(logits.astype(np.float64), axis=1)), rel=1e-5
    )
    expected = multiclass_calibration_error(
        torch.from_numpy(shares), torch.from_numpy(labels), 4, n_bins=BINS, norm="l1"
    )
    assert record.error == pytest.approx(float(expected), abs=1e-5)
    assert record.error < record.error_before / 2
    classes = logits.argmax(axis=1)
    assert record.accuracy == pytest.approx((classes == labels).mean())
    for number in range(4):
        own = classes == number
        assert record.shares[number] == pytest.approx(own.mean())
        assert record.class_accuracy[number] == pytest.approx((labels[own] == number).mean())
        assert record.class_confidence[number] == pytest.approx(shares[own].max(axis=1).mean(), rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_confidence_of_classes_is_the_mean_over_the_cells_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = rng.normal(0, 3, (2, 5, 4, 6))
    maps[0, 2] = -90  # no cell is of this class
    told = class_confidence(maps, 1.7)
    shares = torch.from_numpy(maps / 1.7).softmax(1).amax(1).numpy()
    for frame in range(2):
        classes = maps[frame].argmax(axis=0)
        for number in range(5):
            own = classes == number
            assert told[frame, 0, number] == pytest.approx(own.mean())
            assert told[frame, 1, number] == pytest.approx(shares[frame][own].sum() / own.size)
    assert told[0, 0, 2] == told[0, 1, 2] == 0
