# SPDX-License-Identifier: Apache-2.0
"""Sky: the light of the day, a gradient with clouds, and the hazy skyline where the street ends."""

from dataclasses import dataclass

import cv2
import numpy as np

from export.data.synthetic.canvas import BUILDING, SKY, TREE, Camera, Canvas, Floats, Light, rgb

_CLOUD_ROWS, _CLOUD_COLUMNS = 64, 160


@dataclass(frozen=True)
class Weather:
    """Light of a scene and the colours of its sky."""

    light: Light
    zenith: Floats
    horizon: Floats
    cloud: Floats
    cover: float
    """Share of the sky under cloud, 0 to 1."""


def draw_weather(rng: np.random.Generator) -> Weather:
    """Draw the hour and the weather: from clear to overcast, sun anywhere but close to the horizon."""
    cover = float(rng.beta(0.9, 0.9))
    overcast = float(np.clip((cover - 0.6) / 0.4, 0, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    elevation = np.deg2rad(rng.uniform(22, 60))
    sun = np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], dtype=np.float64
    )
    low_sun = float(np.clip(1.0 - (np.rad2deg(elevation) - 22) / 25, 0, 1))
    clear_zenith = rgb(rng.uniform(62, 100), rng.uniform(118, 148), rng.uniform(188, 218))
    zenith = clear_zenith * (1 - overcast) + rgb(rng.uniform(168, 192)) * overcast
    horizon = (rgb(205, 219, 232) + low_sun * rgb(22, 4, -16)) * (1 - overcast) + rgb(208, 210, 212) * overcast
    light = Light(
        sun=sun,
        direct=0.72 * (1 - 0.85 * overcast),
        ambient=0.46 + 0.28 * overcast,
        haze_colour=horizon * 0.96,
        haze_distance_m=float(rng.uniform(170, 420)),
    )
    return Weather(light, zenith, horizon, cloud=rgb(246, 246, 247) - 34 * overcast, cover=cover)


def paint_sky(rng: np.random.Generator, canvas: Canvas, camera: Camera, weather: Weather) -> None:
    """Fill everything above the horizon: gradient, brighter towards the sun, and soft clouds."""
    elevation = np.linspace(1, 0, _CLOUD_ROWS, dtype=np.float32)[:, None]
    share = (elevation**0.75)[..., None]
    colours = weather.horizon * (1 - share) + weather.zenith * share
    columns = np.linspace(-1, 1, _CLOUD_COLUMNS, dtype=np.float32)
    glow = np.exp(-((columns - weather.light.sun[0] * 1.5) ** 2)) * max(0.0, float(weather.light.sun[2]))
    colours = colours + (12 * glow)[None, :, None] * weather.light.direct
    alpha, relief = _clouds(rng, weather.cover)
    alpha *= 0.35 + 0.65 * np.minimum(1, 3 * elevation)
    cloud = weather.cloud - relief[..., None] * rgb(34, 30, 24)
    small = colours * (1 - alpha[..., None]) + cloud * alpha[..., None]
    rows = max(1, int(np.ceil(camera.horizon_v * canvas.frame.shape[0] / canvas.height)) + 1)
    pixels = np.clip(small, 0, 255).astype(np.uint8)
    canvas.frame[:rows] = cv2.resize(pixels, (canvas.frame.shape[1], rows), interpolation=cv2.INTER_LINEAR)
    canvas.label[:rows] = SKY


def _clouds(rng: np.random.Generator, cover: float) -> tuple[Floats, Floats]:
    """Cloud opacity and the depth of its grey underside, ``(rows, columns)`` in [0, 1], flatter near the horizon."""
    field = np.zeros((_CLOUD_ROWS, _CLOUD_COLUMNS), dtype=np.float32)
    for octave, weight in enumerate((1.0, 0.6, 0.36, 0.22, 0.13)):
        grid = rng.random((3 * 2**octave, 4 * 2**octave), dtype=np.float32) - 0.5
        field += weight * cv2.resize(grid, (_CLOUD_COLUMNS, _CLOUD_ROWS), interpolation=cv2.INTER_CUBIC)
    lift = np.roll(field, 3, axis=0) - field
    squeeze = np.linspace(0, 1, _CLOUD_ROWS, dtype=np.float32) ** 0.7 * (_CLOUD_ROWS - 1)
    map_v = np.repeat(squeeze[:, None], _CLOUD_COLUMNS, axis=1)
    map_u = np.repeat(np.arange(_CLOUD_COLUMNS, dtype=np.float32)[None], _CLOUD_ROWS, axis=0)
    field, lift = (cv2.remap(image, map_u, map_v, cv2.INTER_LINEAR) for image in (field, lift))
    alpha = np.clip((field + 1.3 * (cover - 0.55)) * 2.2, 0, 1)
    return alpha * alpha * (3 - 2 * alpha) * 0.92, np.clip(0.35 + 1.6 * lift, 0, 1)


def paint_skyline(rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light) -> None:
    """Close the street with distant roofs and tree tops at 150 to 260 m, mostly haze."""
    for distance, share in ((260.0, 0.8), (190.0, 0.5), (150.0, 0.25)):
        scale = camera.pixels_per_metre(distance)
        span = canvas.width / camera.focal_px * distance
        left = -0.7 * span
        roofs: list[tuple[float, float]] = []
        for width, height in zip(rng.uniform(9, 26, 80), rng.uniform(7, 19, 80) * (0.6 + share), strict=True):
            roofs += [(left, height), (left + width, height)]
            left += width
        built = rng.random() < share
        outline = np.array(roofs)
        if not built:
            across = np.linspace(-0.7 * span, 0.7 * span, 241)
            crowns = np.abs(np.sin(np.linspace(0, 40, 241) + 2 * np.repeat(rng.random(61), 4)[:241]))
            outline = np.stack([across, 5 + 3.5 * np.sqrt(crowns) + 1.2 * rng.random(241)], axis=1)
        u = camera.centre_u + outline[:, 0] * scale
        v = camera.horizon_v - (outline[:, 1] - camera.height_m) * scale
        base = camera.horizon_v + camera.height_m * scale
        ends = np.array([[u[-1], base], [u[0], base]])
        albedo = rgb(138, 128, 122) if built else rgb(74, 96, 58)
        colour = light.shade(albedo, (0, 0.3, -0.8), distance)
        canvas.fill(np.concatenate([np.stack([u, v], axis=1), ends]), colour, BUILDING if built else TREE)
