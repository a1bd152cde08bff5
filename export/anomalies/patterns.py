# SPDX-License-Identifier: Apache-2.0
"""Positions in the frame, smooth random fields and stretched drawings, of which the degradations are made.

Nothing random here depends on the size of the frame, so that a seed degrades the same part of it at every size.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]
GAMMA = 2.2
"""Exponent between the camera's values and the light that fell on the sensor."""


class LocalChange(NamedTuple):
    """What a degradation gives that acts on a part of the picture.

    Attributes:
        frame: ``(H, W, 3)`` float32 RGB, as a degradation of the whole picture gives it.
        cover: ``(H, W)`` float32 in [0, 1], how far the degradation covers each pixel; where it is 0 the frame is as before.
    """

    frame: Floats
    cover: Floats


Degradation = Callable[[Floats, float, np.random.Generator], Floats | LocalChange]
"""``(frame, severity, rng) -> frame``: ``(H, W, 3)`` float32 RGB in [0, 255], not modified; a severity above 0 and to 5."""


def level(severity: float, *values: float) -> float:
    """Value of a parameter at a severity: its values at the severities 0, 1, ... 5, and straight lines between them."""
    return float(np.interp(severity, range(len(values)), values))


def rows(height: int) -> Floats:
    """Positions of pixel centres from top to bottom, ``(height, 1)`` float32 in (0, 1)."""
    return ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]


def columns(width: int) -> Floats:
    """Positions of pixel centres from left to right, ``(1, width)`` float32 in (0, 1)."""
    return ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]


def pattern(rng: np.random.Generator, cells: tuple[int, int], height: int, width: int) -> Floats:
    """Smooth random field in about [0, 1], ``(height, width)`` float32, with two finer octaves."""
    field = np.zeros((height, width), dtype=np.float32)
    for octave, weight in enumerate((0.57, 0.28, 0.15)):
        grid = rng.random((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        field += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return field


def stretch(drawing: Bytes, height: int, width: int) -> Floats:
    """Share of each pixel that a drawing covers: ``(h, w)`` uint8 to ``(height, width)`` float32 in [0, 1].

    Averaged over the area of the pixel where the frame is smaller than the drawing, interpolated where it is larger.
    """
    share: Floats = cv2.resize(drawing.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) / 255
    return share


def blend(frame: Floats, alpha: Floats, colour: Floats | tuple[float, float, float]) -> Floats:
    """Blend a frame with a veil: ``(H, W)`` alpha in [0, 1], and the veil's RGB in [0, 255], one or ``(H, W, 3)``."""
    share = np.clip(alpha, 0, 1)[..., None]
    veiled: Floats = frame * (1 - share) + np.asarray(colour, dtype=np.float32) * share
    return veiled


def blurred(frame: Floats, sigma: float) -> Floats:
    """Blur a frame by a Gaussian whose sigma is a share of the frame's width; 0 keeps it."""
    sigma_px = sigma * frame.shape[1]
    if sigma_px < 0.05:
        return frame
    soft: Floats = cv2.GaussianBlur(frame, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return soft


def scattered(frame: Floats, colour: tuple[float, float, float], own: float) -> Floats:
    """Light that a thin layer on the glass scatters: its colour by the light of the scene behind, smoothed far out.

    Args:
        frame: ``(H, W, 3)`` float32 RGB.
        colour: of the layer in daylight, where the scene's mean is half of the range.
        own: share of the light that comes from the scene as a whole, in [0, 1]; the rest comes from behind each place.

    Returns:
        ``(H, W, 3)`` float32 in [0, 255]: a layer is dark at night, and nowhere whiter than its colour.
    """
    height, width = frame.shape[:2]
    coarse = cv2.resize(frame, (16, 8), interpolation=cv2.INTER_AREA).mean(axis=2)
    near = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 1.5), (width, height), interpolation=cv2.INTER_CUBIC)
    light = np.clip((own * coarse.mean() + (1 - own) * near) / 128, 0.04, 1)
    layer: Floats = light[..., None] * np.array(colour, dtype=np.float32)
    return layer


def as_light(frame: Floats) -> Floats:
    """Light that fell on the sensor, float32, 1 where a value of the camera is 255."""
    light: Floats = np.power(np.clip(frame, 0, 255) / np.float32(255), np.float32(GAMMA))
    return light


def as_values(light: Floats) -> Floats:
    """Values of the camera in [0, 255] for the light that fell on it, cut off where the sensor saturates."""
    values: Floats = 255 * np.power(np.clip(light, 0, 1), np.float32(1 / GAMMA))
    return values
