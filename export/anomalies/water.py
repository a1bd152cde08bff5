# SPDX-License-Identifier: Apache-2.0
"""Degradations by water on the windscreen: drops, running streaks, condensation."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, LocalChange, blend, blurred, columns, level, pattern, rows, scattered

_VIEW = (128, 256)
"""Rows and columns of the picture that is seen through drops, out of focus and so of a fixed size."""
_GRID = (256, 512)
"""Rows and columns on which streaks are drawn, whatever the frame's size."""


def drops(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Put drops on the windscreen: each is a small lens that shows the scene upside down, mirrored and shrunk.

    A drop has a radius of 1.1 to 5.5 % of the frame's width, a soft edge, a dark rim and an outline that gravity draws out.
    """
    height, width = frame.shape[:2]
    view = cv2.GaussianBlur(cv2.resize(frame, _VIEW[::-1], interpolation=cv2.INTER_AREA), (0, 0), 2.2)
    most = 150
    centre = rng.random((most, 2))
    radius = np.minimum(0.011 + 0.009 * rng.pareto(1.7, most), 0.055)
    flat, lean = rng.uniform(0.72, 1.0, most), rng.uniform(-0.25, 0.25, most)
    reach = rng.uniform(0.3, 0.46, most)
    degraded, bare = frame.copy(), np.ones((height, width), dtype=np.float32)
    for i in range(round(level(severity, 0, 9, 24, 48, 88, most))):
        (u, v), r_px = centre[i] * (width, height), radius[i] * width
        fine = int(np.clip(np.ceil(6 / r_px), 1, 4))  # steps in a pixel: small drops are averaged over the pixel
        top, bottom = max(int(v - 1.5 * r_px), 0), min(int(v + 1.5 * r_px) + 2, height)
        left, right = max(int(u - 1.5 * r_px), 0), min(int(u + 1.5 * r_px) + 2, width)
        y = ((np.arange(top * fine, bottom * fine)[:, None] + 0.5) / fine - v) / r_px
        x = ((np.arange(left * fine, right * fine)[None, :] + 0.5) / fine - u) / r_px
        x = (x - lean[i] * y) / (flat[i] * (1 - 0.14 * np.clip(-y, -1, 1)))  # narrower above than below
        distance = np.hypot(x, y / 1.15)
        bulge = reach[i] * (0.55 + 0.45 * distance * distance)
        seen_u, seen_v = (
            ((0.3 + 0.4 * at - from_centre * bulge) * size - 0.5).astype(np.float32)
            for at, from_centre, size in zip(centre[i], (x, y), _VIEW[::-1], strict=True)
        )
        seen = cv2.remap(view, seen_u, seen_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        alpha = np.clip((1 - distance) / 0.22, 0, 1)[..., None]
        lens = np.minimum(seen * (1.04 - 0.5 * np.clip(distance, 0, 1) ** 5)[..., None], 255)
        layer = np.concatenate([lens * alpha, alpha], axis=2).astype(np.float32)
        layer = cv2.resize(layer, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        box = np.s_[top:bottom, left:right]
        degraded[box] = degraded[box] * (1 - layer[..., 3:]) + layer[..., :3]
        bare[box] *= 1 - layer[..., 3]
    return LocalChange(degraded, 1 - bare)


def water_streaks(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Let water run down the windscreen: winding films that bend the rays sideways, blur what is behind and end in a bead."""
    height, width = frame.shape[:2]
    most = 26
    start, slant = rng.uniform(-0.05, 1.05, most), rng.uniform(-0.25, 0.25)
    top, length = rng.uniform(-0.35, 0.55, most), rng.uniform(0.45, 1.25, most)
    thick, waves = rng.uniform(0.006, 0.022, most), rng.uniform(0, 2 * np.pi, (most, 3))
    v = np.linspace(0, 1, _GRID[0], dtype=np.float32)[:, None]
    u = columns(_GRID[1])
    water = np.zeros(_GRID, dtype=np.float32)
    for i in range(round(level(severity, 0, 3, 7, 12, 18, most))):
        course = start[i] + slant * (v - top[i])
        course = course + sum(0.011 / n * np.sin(4.5 * n * v + waves[i, n - 1]) for n in (1, 2, 3))
        along = (v - top[i]) / length[i]
        half = (
            thick[i]
            * (0.7 + 0.1 * severity)
            * (0.45 + 0.55 * np.clip(along, 0, 1))
            * np.clip((1 - along) * 14, 0, 1) ** 0.5
            * (along > 0)
        )
        water = np.maximum(
            water, np.sqrt(np.clip(1 - ((u - course) / np.maximum(half, 1e-6)) ** 2, 0, 1)) * (half / 0.022)
        )
    water = cv2.GaussianBlur(water.astype(np.float32), (0, 0), 1.6)
    bend = cv2.resize(cv2.Sobel(water, cv2.CV_32F, 1, 0, ksize=3), (width, height), interpolation=cv2.INTER_LINEAR)
    depth = cv2.resize(water, (width, height), interpolation=cv2.INTER_LINEAR)
    cover = np.clip(depth * 6 - 0.15, 0, 1) * np.float32(min(1.0, 0.7 + 0.1 * severity))
    away = -bend * np.float32(0.07 * width)
    seen_u = np.arange(width, dtype=np.float32)[None] + away
    seen_v = np.arange(height, dtype=np.float32)[:, None] + 0.35 * away
    behind = blurred(frame, 0.004)
    seen = cv2.remap(behind, seen_u, seen_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    lit = np.clip(seen * (1 - 0.35 * np.clip(bend, -0.8, 0.8))[..., None] + 6, 0, 255)
    return LocalChange(blend(frame, cover, lit), cover)


def condensation(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Let the inside of the glass mist over, from one side inwards: 12 to 80 % of the picture is blurred and veiled."""
    height, width = frame.shape[:2]
    area = level(severity, 0, 0.12, 0.25, 0.42, 0.6, 0.8)
    side, tilt = rng.uniform(0, 2 * np.pi), pattern(rng, (3, 5), 128, 256)
    ramp = np.cos(side) * columns(256) + np.sin(side) * rows(128)
    wetness = ramp - ramp.mean() + 0.9 * tilt
    rim = np.quantile(wetness, 1 - area)
    mist = np.clip((wetness - rim) / 0.12, 0, 1)
    grain = pattern(rng, (64, 128), height, width)
    alpha = cv2.resize(mist.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    hazy = blurred(frame, 0.013)
    veil = scattered(frame, (205, 208, 212), 0.62)
    opacity = np.float32(0.5 + 0.06 * severity) + 0.16 * (grain - 0.5)
    return LocalChange(blend(frame, alpha, blend(hazy, opacity, veil)), alpha)
