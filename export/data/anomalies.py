# SPDX-License-Identifier: Apache-2.0
"""Degradations of a camera frame, seeded, in five severities and independent of the frame's size.

Every kind is one function ``(frame, severity, rng) -> frame`` on float32 in [0, 255]; to add one, write it and list it
in ``ANOMALIES``. Patterns are drawn on a grid of fixed size and then scaled to the frame, so that the same seed spoils
the same part of the picture at every size; only ``sensor_noise`` and the noise of ``night`` live on the frame's own
pixels.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import UsageError

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
Degradation = Callable[[Floats, int, np.random.Generator], Floats]

SEVERITIES = (1, 2, 3, 4, 5)


def degrade(frame: Bytes, kind: str, severity: int, seed: int) -> Bytes:
    """Spoil a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        kind: a key of ``ANOMALIES``.
        severity: 1, just visible, to 5, severe.
        seed: 0 or more; equal seeds spoil equally.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        UsageError: an unknown kind, a severity or a seed out of range, or an array that is no frame.
    """
    if kind not in ANOMALIES:
        raise UsageError(f"expected a kind of anomaly from {', '.join(ANOMALIES)}, got {kind!r}: choose one of them")
    if severity not in SEVERITIES:
        raise UsageError(f"expected a severity from 1 to 5, got {severity!r}: choose one of them")
    if seed < 0:
        raise UsageError(f"expected a seed of 0 or more, got {seed}: pass a non-negative integer")
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise UsageError(
            f"expected an (H, W, 3) uint8 frame, got {frame.shape} {frame.dtype}: pass the camera's own RGB image"
        )
    spoilt = ANOMALIES[kind](frame.astype(np.float32), severity, np.random.default_rng(seed))
    rounded: Bytes = np.rint(np.clip(spoilt, 0, 255)).astype(np.uint8)
    return rounded


def fog(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Veil that thickens towards the middle rows, where the street is farthest, in drifting banks."""
    height, width = frame.shape[:2]
    v = _rows(height)
    depth = np.exp(-(((v - 0.42) / np.where(v < 0.42, 0.5, 0.3)) ** 2))
    strength = (0.3, 0.45, 0.6, 0.75, 0.88)[severity - 1]
    veil = strength * (0.55 + 0.45 * depth) * (0.88 + 0.24 * _pattern(rng, (3, 5), height, width))
    alpha = np.clip(veil, 0, 1)[..., None]
    foggy: Floats = frame * (1 - alpha) + np.array([206, 210, 214], dtype=np.float32) * alpha
    return foggy


def night(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Little light: darker, bluer, flatter in colour, with the noise of a raised gain."""
    gain, sigma = ((0.62, 3.0), (0.48, 4.5), (0.36, 6.0), (0.27, 7.5), (0.2, 9.0))[severity - 1]
    grey = frame.mean(axis=2, keepdims=True)
    faded = frame + (grey - frame) * np.float32(0.12 * severity)
    cold = np.array([1.0 - 0.05 * severity, 1.0 - 0.02 * severity, 1.0 + 0.04 * severity], dtype=np.float32)
    dark: Floats = faded * (cold * np.float32(gain)) + rng.standard_normal(frame.shape, dtype=np.float32) * np.float32(
        sigma
    )
    return dark


def sun_flare(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Low sun in the upper half: a bloom that saturates, faint rays, and a chain of ghosts through the middle."""
    height, width = frame.shape[:2]
    strength = (0.35, 0.55, 0.8, 1.1, 1.5)[severity - 1]
    sun_u, sun_v = rng.uniform(0.25, 0.75), rng.uniform(0.08, 0.42)
    u = _columns(width) - np.float32(sun_u)
    v = (_rows(height) - np.float32(sun_v)) * np.float32(height / width)
    distance = np.sqrt(u * u + v * v)
    rays = 1 + 0.25 * np.cos(np.arctan2(v, u) * np.float32(rng.integers(5, 9)) + np.float32(rng.uniform(0, 6)))
    bloom = 1.3 * np.exp(-((distance / 0.07) ** 2)) + 0.75 * np.exp(-distance / 0.2) * rays + 0.18
    light = (strength * bloom)[..., None] * np.array([255, 240, 205], dtype=np.float32)
    for reach in rng.uniform(0.4, 1.9, 5):
        ghost_u = u - np.float32(reach * (0.5 - sun_u))
        ghost_v = v - np.float32(reach * (0.5 - sun_v) * height / width)
        radius = rng.uniform(0.015, 0.06)
        disc = np.clip((radius - np.sqrt(ghost_u * ghost_u + ghost_v * ghost_v)) / (0.25 * radius), 0, 1)
        colour = rng.uniform(20, 90, 3).astype(np.float32)
        light = light + (strength * disc)[..., None] * colour
    glaring: Floats = 255 - (255 - frame) * np.exp(-light / 255)
    return glaring


def mud(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Dirt on the lens: out-of-focus brown splashes, more of them and denser with severity."""
    height, width = frame.shape[:2]
    rows, columns, count = 128, 256, 64
    x, y = rng.uniform(0, columns, count), rng.uniform(0, rows, count)
    radius = np.minimum(3 + 5 * rng.pareto(1.6, count), 26)
    splash = np.zeros((rows, columns), dtype=np.float32)
    for centre_x, centre_y, r in list(zip(x, y, radius, strict=True))[: (6, 13, 24, 40, 64)[severity - 1]]:
        cv2.circle(splash, (round(centre_x), round(centre_y)), round(r), 1.0, -1)
    edge = _pattern(rng, (12, 24), rows, columns)
    ragged = np.clip((cv2.GaussianBlur(splash, (0, 0), 4) + 0.9 * (edge - 0.5) - 0.4) * 4, 0, 1)
    soft = cv2.resize(cv2.GaussianBlur(ragged, (0, 0), 1.6), (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = (soft * np.float32(0.72 + 0.05 * severity))[..., None]
    tone = 0.7 + 0.6 * _pattern(rng, (20, 40), height, width)[..., None]
    dirty: Floats = frame * (1 - alpha) + np.array([84, 66, 48], dtype=np.float32) * tone * alpha
    return dirty


def sensor_noise(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:
    """Shot and read noise of a sensor short of light."""
    sigma = np.float32((8, 14, 22, 32, 45)[severity - 1])
    shot = np.sqrt(0.3 + frame * np.float32(0.7 / 128))
    noisy: Floats = frame + rng.standard_normal(frame.shape, dtype=np.float32) * (sigma * shot)
    return noisy


def defocus(frame: Floats, severity: int, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Lens out of focus: every point becomes a disc whose size follows the width of the frame."""
    radius = (0.004, 0.007, 0.011, 0.016, 0.023)[severity - 1] * frame.shape[1]
    reach = int(np.ceil(radius + 1))
    axis = np.arange(-reach, reach + 1)
    disc = np.clip(radius + 0.5 - np.hypot(axis[:, None], axis[None, :]), 0, 1)
    blurred: Floats = cv2.filter2D(frame, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
    return blurred


ANOMALIES: Mapping[str, Degradation] = MappingProxyType(
    {
        "fog": fog,
        "night": night,
        "sun_flare": sun_flare,
        "mud": mud,
        "sensor_noise": sensor_noise,
        "defocus": defocus,
    }
)
"""Every kind of degradation, by name."""


def _rows(height: int) -> Floats:
    """Positions of pixel centres from top to bottom, ``(height, 1)`` in (0, 1)."""
    return ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]


def _columns(width: int) -> Floats:
    """Positions of pixel centres from left to right, ``(1, width)`` in (0, 1)."""
    return ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]


def _pattern(rng: np.random.Generator, cells: tuple[int, int], height: int, width: int) -> Floats:
    """Smooth random field in about [0, 1], ``(height, width)``, with two finer octaves."""
    field = np.zeros((height, width), dtype=np.float32)
    for octave, weight in enumerate((0.57, 0.28, 0.15)):
        grid = rng.random((cells[0] << octave, cells[1] << octave), dtype=np.float32)
        field += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return field
