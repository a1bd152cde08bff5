# SPDX-License-Identifier: Apache-2.0
"""Degradations at the lens: mud, occlusion, defocus, motion blur."""

import cv2
import numpy as np

from export.anomalies.patterns import Floats, LocalChange, blend, columns, level, pattern, rows


def mud(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Put mud on the lens: out-of-focus brown splashes, more of them and denser with severity."""
    height, width = frame.shape[:2]
    grid_rows, grid_columns, count = 128, 256, 64
    x, y = rng.uniform(0, grid_columns, count), rng.uniform(0, grid_rows, count)
    radius = np.minimum(3 + 5 * rng.pareto(1.6, count), 26)
    splash = np.zeros((grid_rows, grid_columns), dtype=np.float32)
    splashes = round(level(severity, 0, 6, 13, 24, 40, count))
    for centre_x, centre_y, r in list(zip(x, y, radius, strict=True))[:splashes]:
        cv2.circle(splash, (round(centre_x), round(centre_y)), round(r), 1.0, -1)
    edge = pattern(rng, (12, 24), grid_rows, grid_columns)
    ragged = np.clip((cv2.GaussianBlur(splash, (0, 0), 4) + 0.9 * (edge - 0.5) - 0.4) * 4, 0, 1)
    soft = cv2.resize(cv2.GaussianBlur(ragged, (0, 0), 1.6), (width, height), interpolation=cv2.INTER_LINEAR)
    tone = 0.7 + 0.6 * pattern(rng, (20, 40), height, width)[..., None]
    opacity = soft * np.float32(0.72 + 0.05 * severity)
    return LocalChange(blend(frame, opacity, np.array([84, 66, 48], dtype=np.float32) * tone), opacity)


def occlusion(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Cover 5 to 45 % of the picture with something dark at the edge of the lens; outside its outline nothing changes."""
    height, width = frame.shape[:2]
    area = level(severity, 0, 0.05, 0.11, 0.19, 0.3, 0.45)
    where, lobes = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi, 4).tolist()
    strengths = (rng.uniform(0.3, 1.0, 4) * (0.16, 0.14, 0.08, 0.05)).tolist()
    colour = rng.uniform(12, 45) + rng.uniform(-4, 4, 3)

    def distance(v: Floats, u: Floats) -> Floats:
        """Distance from the middle of the shape in units of its outline's radius in that direction."""
        y, x = v - np.float32(0.5 + 0.42 * np.sin(where)), u - np.float32(0.5 + 0.42 * np.cos(where))
        angle = np.arctan2(y, x)
        outline = 1 + sum(a * np.cos(n * angle + p) for n, (a, p) in enumerate(zip(strengths, lobes, strict=True), 2))
        scaled: Floats = np.hypot(y, x) / np.maximum(outline, 0.2)
        return scaled

    rim = np.quantile(distance(rows(128), columns(128)), area)
    alpha = np.clip((rim - distance(rows(height), columns(width))) / 0.04, 0, 1)
    texture = 0.85 + 0.3 * pattern(rng, (8, 16), height, width)[..., None]
    return LocalChange(blend(frame, alpha, colour.astype(np.float32) * texture), alpha)


def defocus(frame: Floats, severity: float, _rng: np.random.Generator) -> Floats:
    """Put the lens out of focus: every point becomes a disc whose size follows the width of the frame."""
    radius = level(severity, 0, 0.004, 0.007, 0.011, 0.016, 0.023) * frame.shape[1]
    reach = int(np.ceil(radius + 1))
    axis = np.arange(-reach, reach + 1)
    disc = np.clip(radius + 0.5 - np.hypot(axis[:, None], axis[None, :]), 0, 1)
    blurred: Floats = cv2.filter2D(frame, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
    return blurred


def motion_blur(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Move the camera while the shutter is open: every point becomes a line of 1 to 8 % of the width, in one direction."""
    length_px = level(severity, 0, 0.01, 0.02, 0.035, 0.055, 0.08) * frame.shape[1]
    kernel = line_kernel(length_px, float(rng.uniform(0, np.pi)))
    blurred: Floats = cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT)
    return blurred


def line_kernel(length_px: float, angle: float) -> Floats:
    """Make the kernel of a camera that moves evenly along a straight line.

    Args:
        length_px: length of the line in pixels, 0 or more.
        angle: direction in radians, from the columns towards the rows.

    Returns:
        Square float64 kernel of odd size, symmetric about its middle, with sum 1: the mean of the frame shifted to
        evenly spaced places on the line, each by bilinear interpolation.
    """
    reach = int(np.ceil(length_px / 2)) + 1
    line = ((np.arange(64 * reach) + 0.5) / (64 * reach) - 0.5) * length_px
    axis = np.arange(-reach, reach + 1)
    down = np.maximum(1 - np.abs(axis[:, None] - line * np.sin(angle)), 0)
    across = np.maximum(1 - np.abs(axis[:, None] - line * np.cos(angle)), 0)
    kernel: Floats = down @ across.T / len(line)
    return kernel
