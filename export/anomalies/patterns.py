# SPDX-License-Identifier: Apache-2.0
"""Positions in the frame, smooth random fields and stretched drawings, of which the degradations are made.

Nothing random here depends on the size of the frame, so that a seed degrades the same part of it at every size.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]
Degradation = Callable[[Floats, int, np.random.Generator], Floats]
"""``(frame, severity, rng) -> frame``: ``(H, W, 3)`` float32 RGB in [0, 255], not modified; a severity from 1 to 5."""


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
