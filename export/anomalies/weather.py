# SPDX-License-Identifier: Apache-2.0
"""Degradations by the weather: fog, rain, snow."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, blend, level, pattern, rows, stretch

_GRID = (512, 1024)
"""Rows and columns on which drops and flakes are drawn, whatever the frame's size."""
_SHIFT = 4
"""Fractional bits of OpenCV's coordinates."""


def fog(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Add a veil that thickens towards the middle rows, where the street is farthest, in drifting banks."""
    height, width = frame.shape[:2]
    v = rows(height)
    depth = np.exp(-(((v - 0.42) / np.where(v < 0.42, 0.5, 0.3)) ** 2))
    strength = level(severity, 0, 0.3, 0.45, 0.6, 0.75, 0.88)
    veil = strength * (0.55 + 0.45 * depth) * (0.88 + 0.24 * pattern(rng, (3, 5), height, width))
    return blend(frame, veil, (206, 210, 214))


def rain(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Add grey haze and falling drops drawn out by the exposure: far ones short and thin, near ones long and thick."""
    height, width = frame.shape[:2]
    share = level(severity, 0, 0.15, 0.3, 0.5, 0.75, 1.0)
    haze = level(severity, 0, 0.1, 0.18, 0.27, 0.36, 0.46)
    slant = rng.uniform(-0.35, 0.35)
    streaks = np.zeros((height, width), dtype=np.float32)
    for drops, length, thickness, opacity in ((900, 22, 2, 0.4), (300, 48, 3, 0.42), (60, 110, 5, 0.35)):
        tops = rng.random((drops, 2)) * (_GRID[1], _GRID[0] + length) - (0, length)
        fall = length * rng.uniform(0.7, 1.3, (drops, 1)) * np.array([slant, 1.0])
        ends = np.rint(np.stack([tops, tops + fall], axis=1) * (1 << _SHIFT)).astype(int)
        drawing = np.zeros(_GRID, dtype=np.uint8)
        for start, end in ends[: round(share * drops)].tolist():
            cv2.line(drawing, start, end, 255, thickness, cv2.LINE_AA, _SHIFT)
        streaks += opacity * stretch(cv2.GaussianBlur(drawing, (0, 0), 0.4 * thickness), height, width)
    air = blend(frame, np.full((height, width), haze, dtype=np.float32), (128, 133, 139))
    return blend(air, streaks, (222, 226, 230))


def snow(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Add white haze and flakes that drift with the wind: far ones small and sharp, near ones large and out of focus."""
    height, width = frame.shape[:2]
    share = level(severity, 0, 0.1, 0.25, 0.45, 0.7, 1.0)
    haze = level(severity, 0, 0.08, 0.16, 0.25, 0.35, 0.46)
    drift = rng.uniform(30, 150)  # degrees: the long axis of a flake
    flakes_alpha = np.zeros((height, width), dtype=np.float32)
    for flakes, radius, opacity in ((1600, 2.2, 0.75), (420, 4.5, 0.8), (60, 13.0, 0.55)):
        centres = np.rint(rng.random((flakes, 2)) * (_GRID[1], _GRID[0]) * (1 << _SHIFT)).astype(int)
        widths = radius * rng.uniform(0.6, 1.3, (flakes, 1)) * np.array([1.5, 1.0])
        axes = np.rint(widths * (1 << _SHIFT)).astype(int)
        drawing = np.zeros(_GRID, dtype=np.uint8)
        for centre, axis in list(zip(centres.tolist(), axes.tolist(), strict=True))[: round(share * flakes)]:
            cv2.ellipse(drawing, centre, axis, drift, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)
        flakes_alpha += opacity * stretch(cv2.GaussianBlur(drawing, (0, 0), 0.35 * radius), height, width)
    air = blend(frame, np.full((height, width), haze, dtype=np.float32), (214, 218, 223))
    return blend(air, flakes_alpha, (246, 248, 250))
