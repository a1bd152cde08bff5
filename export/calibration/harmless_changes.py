# SPDX-License-Identifier: Apache-2.0
"""Change a frame so little that it is as good as before: another encoding, a trace of noise, other light, or sharper.

A camera's frames come as JPEG today and as PNG tomorrow, from a sensor that is a little warmer, or through other optics and
another image processor, which sharpen more. Answers that have seen
such frames among the clean ones do not take them for something that they know nothing of.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies.jpeg_coding import coded_as_jpeg
from export.anomalies.patterns import Bytes

QUALITIES = (90, 98)
"""Of JPEG, lowest and highest."""

NOISE = (0.4, 1.5)
"""Standard deviation, of 255."""

GAIN, OFFSET = 0.05, 4.0
"""Largest change of the contrast around the mean grey, as a share, and of the brightness, of 255."""

SHARPENING = (0.3, 1.0)
"""Share of the difference from a blurred copy that is added, lowest and highest."""

_BLUR = 1.0
"""Standard deviation of that copy's blur, in pixels."""

_GREY = 128.0


def _encoded(frame: Bytes, rng: np.random.Generator) -> Bytes:
    return coded_as_jpeg(frame, int(rng.integers(QUALITIES[0], QUALITIES[1] + 1)))


def _noisy(frame: Bytes, rng: np.random.Generator) -> Bytes:
    return _rounded(frame + rng.normal(0, rng.uniform(*NOISE), frame.shape))


def _lit(frame: Bytes, rng: np.random.Generator) -> Bytes:
    gain, offset = 1 + rng.uniform(-GAIN, GAIN), rng.uniform(-OFFSET, OFFSET)
    return _rounded((frame - _GREY) * gain + _GREY + offset)


def _sharpened(frame: Bytes, rng: np.random.Generator) -> Bytes:
    exact = frame.astype(np.float64)
    return _rounded(exact + rng.uniform(*SHARPENING) * (exact - cv2.GaussianBlur(exact, (0, 0), _BLUR)))


def _rounded(frame: NDArray[np.floating]) -> Bytes:
    rounded: Bytes = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    return rounded


HARMLESS: tuple[Callable[[Bytes, np.random.Generator], Bytes], ...] = (_encoded, _noisy, _lit, _sharpened)
"""All ways to change a frame."""


def changed_harmlessly(rgb: Bytes, way: int, seed: int) -> Bytes:
    """Change a ``(H, W, 3)`` uint8 RGB frame in one of the ways, by an amount that the seed draws."""
    return HARMLESS[way](rgb, np.random.default_rng([seed, way]))
