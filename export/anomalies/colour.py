# SPDX-License-Identifier: Apache-2.0
"""Degradations of the colour: a wrong phase of the colour filter, a wrong white balance."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, LocalChange, as_light, as_values, level, rows

_RIM = 2
"""Pixels that the mosaic is continued beyond the frame, so that each pixel has every colour beside it."""


def bayer_phase(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Lose a line or a pixel of the readout: from there down the mosaic of colours is read as if it began one place further.

    Red, green and blue are taken for each other, with the zipper of the false pattern; 12 to 90 % of the rows, from below.
    """
    down, across = ((0, 1), (1, 0), (1, 1))[rng.integers(3)]
    height, width = frame.shape[:2]
    share = level(severity, 0, 0.12, 0.3, 0.5, 0.7, 0.9)
    lost = rows(height)[:, 0] >= 1 - share
    padded = np.pad(frame, ((_RIM, _RIM), (_RIM, _RIM), (0, 0)), mode="symmetric" if min(height, width) > 1 else "edge")
    true = _mosaic(padded.shape[0], padded.shape[1], 0, 0)
    taken = _mosaic(padded.shape[0], padded.shape[1], down, across)
    raw = (padded * true).sum(axis=2)
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32)
    seen = cv2.filter2D(raw[..., None] * taken, -1, kernel) / cv2.filter2D(taken, -1, kernel)
    seen = seen[_RIM : _RIM + height, _RIM : _RIM + width]
    cover = np.broadcast_to(lost[:, None], (height, width)).astype(np.float32)
    return LocalChange(np.where(lost[:, None, None], seen, frame), cover)


def _mosaic(height: int, width: int, down: int, across: int) -> Floats:
    """Which colour each pixel of a Bayer pattern that begins at a place sees, ``(height, width, 3)`` float32 of 0 and 1."""
    odd = (np.arange(height)[:, None] + down) % 2, (np.arange(width)[None, :] + across) % 2
    red, blue = (odd[0] == 0) & (odd[1] == 0), (odd[0] == 1) & (odd[1] == 1)
    return np.stack([red, ~(red | blue), blue], axis=2).astype(np.float32)


def white_balance(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Balance for another light: red and blue are amplified by up to 0.95 stops against each other, green by less.

    What saturated the sensor in all colours stays white, as cameras show it.
    """
    stops = level(severity, 0, 0.14, 0.3, 0.48, 0.7, 0.95)
    warm, tint = (1 if rng.random() < 0.5 else -1), rng.uniform(-0.35, 0.35)
    gains = np.power(np.float32(2), stops * np.array([warm, tint, -warm], dtype=np.float32))
    clipped = np.clip((frame.min(axis=2, keepdims=True) - 238) / 12, 0, 1)
    balanced: Floats = as_values(as_light(frame) * gains)
    kept: Floats = balanced + (frame - balanced) * clipped
    return kept
