# SPDX-License-Identifier: Apache-2.0
"""Calibrate the confidence of pixels by labels: one temperature that the logits are divided by (Guo et al. 2017).

It minimises the negative log-likelihood of the labels, which is convex in the inverse of the temperature. It changes no
class, only how probable the most likely one is said to be. What it reaches is stated of drives that did not fit it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from export.answers.reliability import bin_sums, calibration_error
from lsood_runtime.offline import ConfidenceRecord

LARGEST_TEMPERATURE = 20.0
"""And the smallest is one by it: pixels that all are right, or right by chance alone, have no best one."""

MOST_CELLS = 5000
"""Of a map that tell the confidence of its classes: of a larger one every second row and column, every third, and so on."""

Logits = NDArray[np.floating]
PixelValues = NDArray[np.float64]
PixelClasses = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """A sample of n pixels with labels.

    Attributes:
        logits: ``(n, K)`` float32, finite.
        labels: ``(n,)`` int64 classes, below K.
        fold: ``(n,)`` int64: pixels of one drive are in one fold, of which there are two at least.
        frames: that they come from.
        drives: of these.
    """

    logits: NDArray[np.float32]
    labels: PixelClasses
    fold: PixelClasses
    frames: int
    drives: int


def confidences(logits: Logits, temperature: float = 1.0) -> PixelValues:
    """Largest softmax ``(n,)`` of logits ``(n, K)`` over a temperature."""
    powers = np.exp((np.asarray(logits, np.float64) - logits.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(1 / powers.sum(axis=1))


def log_loss(logits: Logits, labels: PixelClasses, temperature: float = 1.0) -> PixelValues:
    """Negative log-likelihood ``(n,)`` of each label, nats."""
    below = (np.asarray(logits, np.float64) - logits.max(axis=1, keepdims=True)) / temperature
    own = np.take_along_axis(below, labels[:, None], axis=1)[:, 0]
    return np.asarray(np.log(np.exp(below).sum(axis=1)) - own)


def class_confidence(maps: PixelValues, temperature: float) -> PixelValues:
    """How confident the segmentation is of each class of N frames, ``(N, 2, K)``, by the cells of :func:`cell_step`.

    Args:
        maps: ``(N, K, h, w)`` logits.
        temperature: that they are divided by.

    Returns:
        Of each class the share of the cells that are predicted as it, and the sum of their confidences by the number of all
        cells; NaN where a logit is not finite.
    """
    step = cell_step(*maps.shape[2:])
    maps = maps[:, :, ::step, ::step]
    frames, count = maps.shape[:2]
    told = np.empty((frames, 2, count))
    for frame, logits in enumerate(maps.reshape(frames, count, -1).transpose(0, 2, 1)):
        classes = logits.argmax(axis=1)
        sums = [np.bincount(classes, weights, count) for weights in (None, confidences(logits, temperature))]
        told[frame] = np.stack(sums) / len(logits)
    return told


def cell_step(rows: int, columns: int) -> int:
    """Rows and columns from one cell that is read to the next, so that they are no more than :data:`MOST_CELLS`."""
    step = 1
    while -(-rows // step) * -(-columns // step) > MOST_CELLS:
        step += 1
    return step


def fit_temperature(logits: Logits, labels: PixelClasses) -> float:
    """The temperature of the smallest negative log-likelihood, between 1 / 20 and 20.

    Args:
        logits: ``(n, K)``, finite, of one pixel at least.
        labels: ``(n,)``.
    """
    below = np.asarray(logits, np.float64) - logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(below, labels[:, None], axis=1)[:, 0].mean()

    def slope(inverse: float) -> float:
        """Of the loss by the inverse of the temperature, which rises with it."""
        powers = np.exp(inverse * below)
        return float(((powers * below).sum(axis=1) / powers.sum(axis=1)).mean() - own)

    low, high = 1 / LARGEST_TEMPERATURE, LARGEST_TEMPERATURE
    if slope(low) >= 0:
        return LARGEST_TEMPERATURE
    if slope(high) <= 0:
        return 1 / LARGEST_TEMPERATURE
    return 1 / float(brentq(slope, low, high, xtol=1e-9))


def calibrate_confidence(pixels: LabelledPixels) -> ConfidenceRecord:
    """Fit the temperature to all pixels, and state what it reaches on folds that were left out of the fit."""
    softened, loss = np.empty(len(pixels.labels)), np.empty(len(pixels.labels))
    for number in np.unique(pixels.fold):
        own, others = pixels.fold == number, pixels.fold != number
        temperature = fit_temperature(pixels.logits[others], pixels.labels[others])
        softened[own] = confidences(pixels.logits[own], temperature)
        loss[own] = log_loss(pixels.logits[own], pixels.labels[own], temperature)
    classes, count = pixels.logits.argmax(axis=1), pixels.logits.shape[1]
    right = classes == pixels.labels
    number, hits, sums = (np.bincount(classes, weights, count) for weights in (None, right, softened))
    return ConfidenceRecord(
        temperature=fit_temperature(pixels.logits, pixels.labels),
        frames=pixels.frames,
        drives=pixels.drives,
        error_before=float(calibration_error(bin_sums(confidences(pixels.logits), right))),
        error=float(calibration_error(bin_sums(softened, right))),
        loss_before=float(log_loss(pixels.logits, pixels.labels).mean()),
        loss=float(loss.mean()),
        accuracy=float(right.mean()),
        shares=tuple((number / len(right)).tolist()),
        class_accuracy=tuple((hits / np.maximum(number, 1)).tolist()),
        class_confidence=tuple(np.minimum(sums / np.maximum(number, 1), 1).tolist()),
    )
