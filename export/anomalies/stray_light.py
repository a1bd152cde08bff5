# SPDX-License-Identifier: Apache-2.0
"""Degradations by the hour and by lamps: dusk, veiling glare, a glare disc, bands of flickering light."""

import numpy as np

from export.anomalies.patterns import Floats, LocalChange, as_light, as_values, blend, columns, level, pattern, rows


def dusk(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Let the sun set: the ground loses 0.6 to 4.2 stops and the sky half of it, and what is left turns blue."""
    height, width = frame.shape[:2]
    stops = level(severity, 0, 0.6, 1.3, 2.1, 3.1, 4.2)
    horizon = 0.42 + 0.12 * (pattern(rng, (1, 3), height, width) - 0.5)
    sky = 1 / (1 + np.exp((rows(height) - horizon) / np.float32(0.07)))
    kept = np.power(np.float32(2), -stops * (1 - 0.5 * sky))[..., None]
    light = as_light(frame)
    grey = light.mean(axis=2, keepdims=True)
    faded = light + (grey - light) * np.float32(0.06 * severity)
    cold = np.array([1 - 0.05 * severity, 1 - 0.02 * severity, 1 + 0.06 * severity], dtype=np.float32)
    return as_values(faded * kept * cold)


def veiling_glare(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Scatter light of a sun outside of the view in the lens: it is added to every pixel, most on the sun's side."""
    height, width = frame.shape[:2]
    added = level(severity, 0, 0.05, 0.11, 0.2, 0.33, 0.5)
    angle = rng.uniform(np.pi, 2 * np.pi)  # above the picture, or beside it
    sun_u, sun_v = 0.5 + 0.85 * np.cos(angle), 0.5 + 0.95 * np.sin(angle)
    away = np.hypot(columns(width) - np.float32(sun_u), rows(height) - np.float32(sun_v))
    veil = np.exp(-away / np.float32(0.75)) * (0.9 + 0.2 * pattern(rng, (2, 3), height, width))
    colour = np.array([1.0, 0.95, 0.86], dtype=np.float32)
    return as_values(as_light(frame) + (2 * added * veil)[..., None] * colour)


def glare(frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Dazzle the camera by a lamp or by the sun in a pane: a saturated disc with a halo and spikes, and no farther."""
    height, width = frame.shape[:2]
    reach = level(severity, 0, 0.05, 0.085, 0.13, 0.185, 0.25)  # of the halo, in widths of the frame
    spot_u, spot_v = rng.uniform(0.15, 0.85), rng.uniform(0.2, 0.75)
    u, v = columns(width) - np.float32(spot_u), (rows(height) - np.float32(spot_v)) * np.float32(height / width)
    spikes, turn = rng.integers(3, 6), rng.uniform(0, np.pi)
    star = 1 + 0.14 * np.cos(2 * spikes * np.arctan2(v, u) + turn) ** 3
    near = np.clip(1 - np.hypot(u, v) / (reach * star), 0, 1)
    cover = np.clip(near**2 * 1.9, 0, 1) * np.float32(min(1.0, 0.6 + 0.15 * severity))
    warm = rng.uniform(0, 1)
    core = np.array([255, 250 - 8 * warm, 242 - 30 * warm], dtype=np.float32)
    rim = np.array([250, 236 - 14 * warm, 214 - 60 * warm], dtype=np.float32)
    colour = rim + (core - rim) * np.clip(cover, 0, 1)[..., None]
    return LocalChange(blend(frame, cover, colour), cover)


def flicker_bands(frame: Floats, severity: float, rng: np.random.Generator) -> Floats:
    """Light the scene by lamps that flicker while the shutter rolls: dark bands across the picture, slightly coloured."""
    dark = level(severity, 0, 0.16, 0.32, 0.5, 0.7, 0.9)
    bands, phase, lag = rng.uniform(2.5, 7), rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.14)
    turn = (
        2 * np.pi * bands * rows(frame.shape[0]) + np.float32(phase) + np.float32(lag) * np.arange(3, dtype=np.float32)
    )
    pulse = 0.5 + 0.5 * np.tanh(2.2 * np.sin(turn))  # nearly on and off, rounded by the time of exposure
    return as_values(as_light(frame) * (1 - np.float32(dark) * pulse[:, None, :]))
