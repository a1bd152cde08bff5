# SPDX-License-Identifier: Apache-2.0
"""Degradations by what settles on the glass: a film of dirt, frost."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, LocalChange, blend, blurred, columns, level, pattern, rows, scattered

_GRID = (512, 1024)
"""Rows and columns on which needles of ice are drawn, whatever the frame's size."""
_SHIFT = 4
"""Fractional bits of OpenCV's coordinates."""


def dirt_film(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Cover the glass with a thin film of dust: a grey-brown veil, smeared in arcs by a wiper, with specks."""
    height, width = frame.shape[:2]
    strength = level(severity, 0, 0.14, 0.24, 0.36, 0.49, 0.63)
    pivot_u, pivot_v = rng.uniform(0.1, 0.9), rng.uniform(1.1, 1.5)
    away = np.hypot(columns(width) - np.float32(pivot_u), (rows(height) - np.float32(pivot_v)) * np.float32(0.5))
    arcs = rng.random(220, dtype=np.float32)
    arcs = 0.5 * arcs + 0.5 * np.convolve(arcs, np.full(9, 1 / 9, dtype=np.float32), mode="same")
    smear = np.interp(away, np.linspace(0, 1.6, len(arcs)), arcs).astype(np.float32)
    patches, specks = pattern(rng, (4, 7), height, width), pattern(rng, (60, 120), height, width)
    film = strength * np.clip(0.25 + 0.6 * patches + 0.55 * smear + 0.5 * np.clip(specks - 0.55, 0, 1), 0, 1.45)
    return blend(blurred(frame, 0.0022 * severity / 5), film, scattered(frame, (158, 149, 134), 0.7))


def frost(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Let ice grow from the border inwards: feathers of needles, closed at the border and single at the front."""
    height, width = frame.shape[:2]
    reach = level(severity, 0, 0.16, 0.3, 0.45, 0.6, 0.76)
    feathers = cv2.resize(_feathers(rng), (width, height), interpolation=cv2.INTER_AREA)
    v, u = rows(height), columns(width)
    border = 2 * np.minimum(np.minimum(v, 1 - v), np.minimum(u, 1 - u))  # 0 at the border, 1 in the middle
    grown = np.float32(reach) - border - 0.5 * (pattern(rng, (5, 9), height, width) - 0.5) - 0.06
    closed = np.clip(grown / 0.3, 0, 1)
    needles = np.clip((grown + 0.14) / 0.1, 0, 1)
    ice = np.clip(closed * (0.42 + 0.7 * feathers) + needles * feathers * 0.7 - 0.08, 0, 1)
    cover = (np.clip(1.3 * ice, 0, 1) * np.float32(0.86 + 0.02 * severity)).astype(np.float32)
    lit = scattered(frame, (222, 230, 238), 0.6) * (0.8 + 0.3 * feathers)[..., None]
    return LocalChange(blend(frame, cover, blend(blurred(frame, 0.01), 0.9 * ice, np.minimum(lit, 255))), cover)


def _feathers(rng: np.random.Generator) -> Floats:
    """Draw feathers of ice all over a grid, ``(512, 1024)`` float32 in [0, 1]: bent stems with barbs at about 60 degrees."""
    drawing = np.zeros(_GRID, dtype=np.uint8)
    feathers, steps = 190, 13
    along = (np.arange(steps) + rng.uniform(0, 1, (feathers, steps))) / steps
    length = rng.uniform(40, 190, (feathers, 1))
    heading = rng.uniform(0, 2 * np.pi, (feathers, 1)) + rng.uniform(-0.9, 0.9, (feathers, 1)) * along
    stride = length * np.diff(along, axis=1, prepend=0)
    root = rng.random((feathers, 2, 1)) * np.array(_GRID[::-1])[:, None]
    stem = root + np.cumsum(stride[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=2)
    side = np.where(rng.random((feathers, steps)) < 0.5, -1, 1) * rng.normal(np.pi / 3, 0.16, (feathers, steps))
    barb = length * rng.uniform(0.1, 0.5, (feathers, steps)) * (1.05 - along)
    tips = stem + barb[:, None] * np.stack([np.cos(heading + side), np.sin(heading + side)], axis=1)
    light = np.rint(rng.uniform(90, 255, (feathers, steps)) * (1.1 - 0.5 * along)).clip(0, 255).astype(int)
    stem_px, tips_px = (np.rint(points * (1 << _SHIFT)).astype(int).transpose(0, 2, 1) for points in (stem, tips))
    for feather in range(feathers):
        previous = stem_px[feather, 0].tolist()
        for at, tip, shade in zip(
            stem_px[feather].tolist(), tips_px[feather].tolist(), light[feather].tolist(), strict=True
        ):
            cv2.line(drawing, previous, at, shade, 2, cv2.LINE_AA, _SHIFT)
            cv2.line(drawing, at, tip, shade, 1, cv2.LINE_AA, _SHIFT)
            previous = at
    needles = cv2.GaussianBlur(drawing.astype(np.float32), (0, 0), 0.8)
    glow = cv2.GaussianBlur(needles, (0, 0), 6)
    ice: Floats = np.clip((1.15 * needles + 1.3 * glow) / 255, 0, 1)
    return ice
