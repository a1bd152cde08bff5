# SPDX-License-Identifier: Apache-2.0
"""A detector without a network: a Gaussian over numbers of colour and contrast of the bare picture.

Frames of another camera or another data set differ in colour, contrast and coding whatever they show. A score of a network
that is no better than this one has not shown that it sees anything else.
"""

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from export.detectors.fit import fit_detector

NAME = "picture alone"
"""Name of the baseline in tables and reports."""

_QUANTILES = (0.05, 0.5, 0.95)
_CELL = 16


def picture_numbers(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute 27 numbers of colour and contrast of a frame.

    In this order: mean and standard deviation of each of R, G, B; quantiles 0.05, 0.5 and 0.95 of each;
    means of the cosine and of the sine of the hue, weighted by saturation; mean and standard deviation of saturation and of
    value; mean absolute gradient along rows and along columns; variance of the Laplacian; mean, lowest and
    highest decile of the standard deviation within squares of 16 pixels. The last six are logarithms, of the grey picture.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.

    Returns:
        ``(27,)``.
    """
    scaled = frame.astype(np.float32) / 255
    pixels = scaled.reshape(-1, 3)
    hsv = cv2.cvtColor(scaled, cv2.COLOR_RGB2HSV).reshape(-1, 3)
    angle, saturation, value = np.deg2rad(hsv[:, 0]), hsv[:, 1], hsv[:, 2]
    grey = cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY)
    across, down = np.abs(np.diff(grey, axis=1)).mean(), np.abs(np.diff(grey, axis=0)).mean()
    contrast = _contrast(grey)
    return np.concatenate(
        [
            pixels.mean(axis=0, dtype=np.float64),
            pixels.std(axis=0, dtype=np.float64),
            np.quantile(pixels, _QUANTILES, axis=0).ravel(),
            [(saturation * np.cos(angle)).mean(), (saturation * np.sin(angle)).mean(), saturation.mean()],
            [saturation.std(), value.mean(), value.std()],
            np.log(np.array([across, down, cv2.Laplacian(grey, cv2.CV_32F).var()]) + 1e-6),
            np.log(np.array([contrast.mean(), *np.quantile(contrast, (0.1, 0.9))]) + 1e-4),
        ]
    ).astype(np.float64)


def _contrast(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of the grey values in each square of 16 pixels, or in the frame where it is smaller."""
    rows, columns = (max(1, size // _CELL) for size in grey.shape)
    height, width = (size // count for size, count in zip(grey.shape, (rows, columns), strict=True))
    cells = grey[: rows * height, : columns * width].reshape(rows, height, columns, width)
    deviations: NDArray[np.float32] = cells.std(axis=(1, 3)).ravel()
    return deviations


class PictureBaseline:
    """The detector that is fitted on the numbers of in-distribution pictures.

    Args:
        pipeline: fitted on ``(N, 27)`` rows.
    """

    name = NAME

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    @classmethod
    def fit(cls, numbers: NDArray[np.float64]) -> Self:
        """Fit a Gaussian to the ``(N, 27)`` numbers of in-distribution pictures.

        Raises:
            CalibrationError: fewer than two frames.
        """
        return cls(fit_detector("mahalanobis", numbers, standardise=True))

    def __call__(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores ``(N,)`` of ``(N, 27)`` numbers, higher = further from the pictures that fitted it."""
        scores: NDArray[np.float64] = -self._pipeline.score_samples(numbers)
        return scores
