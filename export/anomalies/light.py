# SPDX-License-Identifier: Apache-2.0
"""Degradations of the light: night, sun flare, over- and under-exposure."""

import numpy as np

from export.anomalies.patterns import GAMMA, Floats, columns, level, rows


def night(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Take light away: darker, bluer, flatter in colour, with the noise of a raised gain."""
    gain = level(severity, 1, 0.62, 0.48, 0.36, 0.27, 0.2)
    sigma = level(severity, 0, 3.0, 4.5, 6.0, 7.5, 9.0)
    grey = frame.mean(axis=2, keepdims=True)
    faded = frame + (grey - frame) * np.float32(0.12 * severity)
    cold = np.array([1.0 - 0.05 * severity, 1.0 - 0.02 * severity, 1.0 + 0.04 * severity], dtype=np.float32)
    noise = rng.standard_normal(frame.shape, dtype=np.float32) * np.float32(sigma)
    dark: Floats = faded * (cold * np.float32(gain)) + noise
    return dark


def sun_flare(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Put a low sun into the upper half: a bloom that saturates, faint rays, and a chain of ghosts through the middle."""
    height, width = frame.shape[:2]
    strength = level(severity, 0, 0.35, 0.55, 0.8, 1.1, 1.5)
    sun_u, sun_v = rng.uniform(0.25, 0.75), rng.uniform(0.08, 0.42)
    u = columns(width) - np.float32(sun_u)
    v = (rows(height) - np.float32(sun_v)) * np.float32(height / width)
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


def over_exposure(frame: Floats, severity: float, _rng: np.random.Generator) -> Floats:
    """Expose too long: 0.6 to 4 stops more light, ``255 min(1, 2^stops (x/255)^2.2)^(1/2.2)``."""
    return _exposed(frame, level(severity, 0, 0.6, 1.2, 2.0, 2.9, 4.0))


def under_exposure(frame: Floats, severity: float, _rng: np.random.Generator) -> Floats:
    """Expose too briefly: 0.8 to 6 stops less light, by the same formula; dark tones can no longer be told apart."""
    return _exposed(frame, -level(severity, 0, 0.8, 1.6, 2.7, 4.2, 6.0))


def _exposed(frame: Floats, stops: float) -> Floats:
    """Multiply the light by ``2^stops``: a factor on the gamma-coded values, cut off where the sensor saturates."""
    exposed: Floats = np.minimum(frame * np.float32(2 ** (stops / GAMMA)), 255)
    return exposed
