# SPDX-License-Identifier: Apache-2.0
"""Degradations by sensor, readout and coder: noise, dead lines, JPEG blocks."""

import numpy as np
from numpy.typing import NDArray

from export.anomalies.jpeg_coding import coded_as_jpeg
from export.anomalies.patterns import Floats, LocalChange, level

_LINES = (120, 240)
"""Rows and columns of the sensor that can die; a frame of any size shows the same ones."""


def sensor_noise(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Add the shot and read noise of a sensor short of light, on the frame's own pixels."""
    sigma = np.float32(level(severity, 0, 8, 14, 22, 32, 45))
    shot = np.sqrt(0.3 + frame * np.float32(0.7 / 128))
    noisy: Floats = frame + rng.standard_normal(frame.shape, dtype=np.float32) * (sigma * shot)
    return noisy


def jpeg(frame: Floats, severity: float, _rng: np.random.Generator) -> Floats:
    """Code and decode as JPEG, 4:2:0, quality 40, 22, 13, 8 and 4, in blocks of the frame's own pixels."""
    quality = round(level(severity, 95, 40, 22, 13, 8, 4))
    return coded_as_jpeg(np.rint(frame).astype(np.uint8), quality).astype(np.float32)


def dead_lines(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Set 2 to 40 rows and columns of the sensor to black or white; a pixel that spans several lines is their mean."""
    dead = rng.permutation(sum(_LINES))[: round(level(severity, 0, 2, 6, 12, 22, 40))]
    stuck = np.where(rng.random(sum(_LINES)) < 0.5, 0, 255).astype(np.float32)
    degraded, spared = frame, np.ones(frame.shape[:2], dtype=np.float32)
    for axis, lines in enumerate((dead[dead < _LINES[0]], dead[dead >= _LINES[0]] - _LINES[0])):
        cover = _coverage(lines, _LINES[axis], frame.shape[axis])
        levels = stuck[lines + axis * _LINES[0]]
        shape = (1, -1, 1) if axis else (-1, 1, 1)
        alive = 1 - cover.sum(axis=1)
        degraded = degraded * alive.reshape(shape) + (cover @ levels).reshape(shape)
        spared *= alive.reshape(shape[:2])
    return LocalChange(degraded, 1 - spared)


def _coverage(lines: NDArray[np.int64], total: int, pixels: int) -> Floats:
    """Share of each of the ``pixels`` that each line covers, ``(pixels, len(lines))`` float32 in [0, 1]."""
    edges = np.arange(pixels + 1)[:, None] / pixels
    ends = np.minimum((lines + 1) / total, edges[1:]) - np.maximum(lines / total, edges[:-1])
    cover: Floats = (np.maximum(ends, 0) * pixels).astype(np.float32)
    return cover
