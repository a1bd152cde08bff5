# SPDX-License-Identifier: Apache-2.0
"""Cars: a side profile swept across the width, shaded panel by panel, with glass, wheels, lamps and a plate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export.data.scene_canvas import CAR, Camera, Canvas, Floats, Light, rgb
from export.data.scene_ground import Street

Place = Callable[[Floats, Floats, Floats], Floats]
"""Pixels of points given as metres across, up and along one car."""

_PAINTS = (
    (196, 198, 202),
    (226, 226, 224),
    (44, 46, 52),
    (112, 116, 122),
    (150, 32, 34),
    (38, 66, 122),
    (70, 92, 84),
    (158, 146, 124),
    (190, 60, 36),
    (52, 98, 152),
)


@dataclass(frozen=True)
class Shape:
    """Side profile from the rear bumper over the roof to the front bumper.

    ``profile`` is ``(N, 2)`` metres (along, up); ``glass`` names the panels between its points that are windows.
    """

    profile: Floats
    glass: tuple[int, ...]
    belt: float
    width_m: float
    wheels: tuple[float, float]
    side_windows: tuple[Floats, ...]

    @property
    def length_m(self) -> float:
        """Overall length."""
        return float(self.profile[:, 0].max())


def _shape(
    points: list[tuple[float, float]],
    glass: tuple[int, ...],
    belt: float,
    width: float,
    wheels: tuple[float, float],
    windows: list[list[tuple[float, float]]],
) -> Shape:
    return Shape(np.array(points), glass, belt, width, wheels, tuple(np.array(window) for window in windows))


_HATCHBACK = _shape(
    [(0.06, 0.24), (0.0, 0.42), (0.02, 0.66), (0.1, 0.93), (0.52, 1.4), (0.8, 1.47), (1.9, 1.48), (2.25, 1.42),
     (2.98, 0.97), (3.82, 0.78), (3.98, 0.58), (4.0, 0.24)],
    (3, 7), 0.95, 1.78, (0.72, 3.22),
    [[(0.56, 1.0), (0.82, 1.36), (1.36, 1.4), (1.36, 0.98)], [(1.46, 0.98), (1.46, 1.4), (2.2, 1.36), (2.74, 0.97)]],
)  # fmt: skip
_SALOON = _shape(
    [(0.06, 0.26), (0.0, 0.5), (0.03, 0.86), (0.16, 0.99), (0.72, 1.02), (1.36, 1.4), (1.7, 1.45), (2.4, 1.45),
     (2.66, 1.4), (3.36, 0.98), (4.36, 0.8), (4.54, 0.6), (4.55, 0.26)],
    (4, 8), 0.97, 1.82, (0.86, 3.68),
    [[(0.96, 1.0), (1.42, 1.34), (1.94, 1.38), (1.94, 0.98)], [(2.04, 0.98), (2.04, 1.38), (2.62, 1.34), (3.14, 0.98)]],
)  # fmt: skip
_SUV = _shape(
    [(0.06, 0.32), (0.0, 0.56), (0.03, 0.8), (0.08, 1.06), (0.34, 1.6), (0.6, 1.7), (2.4, 1.7), (2.66, 1.63),
     (3.3, 1.14), (4.28, 0.98), (4.46, 0.74), (4.48, 0.32)],
    (3, 7), 1.1, 1.9, (0.84, 3.6),
    [[(0.46, 1.16), (0.64, 1.56), (1.5, 1.6), (1.5, 1.13)], [(1.6, 1.13), (1.6, 1.6), (2.6, 1.57), (3.06, 1.14)]],
)  # fmt: skip
_VAN = _shape(
    [(0.04, 0.34), (0.0, 0.56), (0.02, 0.9), (0.04, 1.24), (0.08, 1.9), (0.2, 2.14), (3.7, 2.16), (4.0, 2.04),
     (4.62, 1.28), (5.1, 1.04), (5.22, 0.74), (5.24, 0.34)],
    (3, 7), 1.2, 2.02, (1.0, 4.24),
    [[(3.34, 1.22), (3.34, 1.86), (3.92, 1.84), (4.4, 1.24)]],
)  # fmt: skip
_SHAPES = (_HATCHBACK, _SALOON, _SUV, _VAN)


@dataclass(frozen=True)
class Car:
    """A car on the street; ``distance`` is that of its end nearest to the camera."""

    shape: Shape
    paint: Floats
    offset: float
    distance: float
    oncoming: bool
    braking: bool

    def shadow(self, street: Street, light: Light) -> Floats:
        """Outline of the shadow under and beside the car, ``(N, 3)`` world points."""
        half, length = 0.5 * self.shape.width_m, self.shape.length_m
        cast = -light.sun * 1.2 / light.sun[1]
        z = self.distance + np.array([-0.25, -0.25, length + 0.2, length + 0.2])
        x = np.array([-half - 0.1, half + 0.1, half + 0.1, -half - 0.1])
        foot = street.world(self.offset + x, np.maximum(z, 1.0))
        left, right = (min(0.0, float(cast[0])), max(0.0, float(cast[0])))
        near, far = (min(0.0, float(cast[2])), max(0.0, float(cast[2])))
        foot[[0, 3], 0] += left
        foot[[1, 2], 0] += right
        foot[[0, 1], 2] = np.maximum(foot[[0, 1], 2] + 0.6 * near, 1.0)
        foot[[2, 3], 2] += 0.6 * far
        return foot


def draw_cars(rng: np.random.Generator, street: Street) -> list[Car]:
    """Draw the traffic: cars ahead, oncoming cars, and parked cars where there is a strip for them."""
    lanes = [0.5 * (a + b) for a, b in zip(street.lane_edges, street.lane_edges[1:], strict=False)]
    rows = [(x, index < street.middle, False) for index, x in enumerate(lanes)]
    if street.lane_edges[0] - street.left_kerb > 1:
        rows.append((street.left_kerb + 1.05, True, True))
    if street.right_kerb - street.lane_edges[-1] > 1:
        rows.append((street.right_kerb - 1.05, False, True))
    busy = rng.uniform(0.25, 1.0)
    cars = []
    for x, oncoming, parked in rows:
        z = float(rng.uniform(5.0, 12) if parked else rng.uniform(8, 30) if oncoming else rng.uniform(9, 34))
        while z < 110:
            shape = _SHAPES[int(rng.choice(len(_SHAPES), p=[0.36, 0.28, 0.26, 0.1]))]
            paint = rgb(*_PAINTS[int(rng.integers(len(_PAINTS)))]) * rng.uniform(0.85, 1.05)
            facing = bool(rng.random() < 0.2) != oncoming if parked else oncoming
            shift, braking = rng.normal(0, 0.05 if parked else 0.18), bool(rng.random() < 0.3)
            present = rng.random() < (0.75 if parked else busy)
            gap = float(rng.uniform(0.8, 2.5) if parked else rng.uniform(7, 34))
            if present:
                cars.append(Car(shape, paint, x + shift, z, facing, braking and not parked))
            z += shape.length_m + gap
    return cars


def paint_car(canvas: Canvas, camera: Camera, light: Light, street: Street, car: Car) -> None:
    """Paint the panels that face the camera from far to near, then the visible flank, wheels, lamps and plate."""
    shape, base = car.shape, car.distance
    profile, glass = shape.profile, {*shape.glass}
    if car.oncoming:
        profile = np.stack([shape.length_m - profile[::-1, 0], profile[::-1, 1]], axis=1)
        glass = {len(profile) - 2 - index for index in glass}
    centre = street.world(car.offset, base)
    slope = street.heading + street.curvature * base
    half = 0.5 * shape.width_m * (1 - 0.3 * np.clip((profile[:, 1] - shape.belt) / shape.belt, 0, 1))
    bumper = np.where(profile[:, 1] < 0.45, 0.95, 1.0)

    def place(across: Floats, up: Floats, along: Floats) -> Floats:
        points = np.stack([centre[0] + across + slope * along, up + 0 * along, base + along], axis=-1)
        return camera.project(points)

    left = place(-half * bumper, profile[:, 1], profile[:, 0])
    right = place(half * bumper, profile[:, 1], profile[:, 0])
    side = -1.0 if centre[0] > 0 else 1.0
    canvas.fill(place(np.array([-1, 1, 1, -1]) * 0.46 * shape.width_m, np.array([0.02, 0.02, 0.4, 0.4]),
                      np.full(4, 0.35)), light.veil(rgb(24), base), CAR)  # fmt: skip
    _paint_panels(canvas, camera, light, car, profile, glass, left, right)
    _paint_flank(canvas, camera, light, car, left if side < 0 else right, place, side)
    _paint_end(canvas, light, car, place)


def _paint_panels(
    canvas: Canvas, camera: Camera, light: Light, car: Car, profile: Floats, glass: set[int], left: Floats, right: Floats
) -> None:
    """Paint roof, screens, bonnet and bumper: the strips between neighbouring points of the profile."""
    for index in reversed(range(len(profile) - 1)):
        (z0, y0), (z1, y1) = profile[index], profile[index + 1]
        run, rise = float(z1 - z0), float(y1 - y0)
        size = float(np.hypot(run, rise)) + 1e-9
        normal = (0.0, run / size, -rise / size)
        towards = normal[1] * (camera.height_m - y0) - normal[2] * (car.distance + z0)
        if towards <= 0:
            continue
        strip = np.stack([left[index], left[index + 1], right[index + 1], right[index]])
        if index in glass:
            canvas.fill(strip, light.veil(car.paint * 0.8 * light.brightness(normal), car.distance), CAR)
            middle = strip.mean(axis=0)
            pane = middle + (strip - middle) * np.array([0.9, 0.88])
            sky = 0.26 * light.haze_colour * max(0.0, normal[1])
            canvas.fill(pane, light.veil(rgb(30, 34, 40) + sky, car.distance))
            shine = np.stack([pane[1], 0.45 * pane[1] + 0.55 * pane[2], 0.7 * pane[0] + 0.3 * pane[3], pane[0]])
            canvas.fill(shine, light.veil(rgb(46, 52, 60) + 1.2 * sky, car.distance))
        else:
            gloss = rgb(20) * max(0.0, normal[1]) * light.direct
            dark = 0.42 if y0 < 0.4 else 1.0
            canvas.fill(strip, light.veil(car.paint * dark * light.brightness(normal) + gloss, car.distance), CAR)


def _paint_flank(
    canvas: Canvas, camera: Camera, light: Light, car: Car, outline: Floats, place: Place, side: float
) -> None:
    """Paint the side that looks towards the camera's path, with its windows, sill and wheels."""
    shape = car.shape
    normal = (side, 0.1, 0.0)
    canvas.fill(outline, light.shade(car.paint, normal, car.distance), CAR)

    def on_flank(points: Floats) -> Floats:
        along = shape.length_m - points[:, 0] if car.oncoming else points[:, 0]
        across = 0.5 * shape.width_m * (1 - 0.3 * np.clip((points[:, 1] - shape.belt) / shape.belt, 0, 1))
        return place(side * across, points[:, 1], along)

    sill = np.array([[0.1, 0.24], [0.1, 0.42], [shape.length_m - 0.1, 0.42], [shape.length_m - 0.1, 0.24]])
    canvas.fill(on_flank(sill), light.shade(car.paint * 0.5, normal, car.distance))
    for window in shape.side_windows:
        canvas.fill(on_flank(window), light.veil(rgb(38, 44, 52) + 0.1 * light.haze_colour, car.distance))
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for wheel in shape.wheels:
        for radius, colour in ((0.37, rgb(26)), (0.33, rgb(40)), (0.19, rgb(142, 144, 148))):
            disc = ring * radius + np.array([wheel, 0.33])
            canvas.fill(on_flank(disc), light.veil(colour * light.brightness(normal), car.distance), CAR)


def _paint_end(canvas: Canvas, light: Light, car: Car, place: Place) -> None:
    """Paint lamps, plate, tyres and grille of the end that faces the camera."""
    half, belt = 0.5 * car.shape.width_m, car.shape.belt

    def box(across0: float, across1: float, low: float, high: float, colour: Floats, glow: float = 0.0) -> None:
        across = np.array([across0, across0, across1, across1])
        corners = place(across, np.array([low, high, high, low]), np.full(4, 0.03))
        lit = colour * (light.brightness((0, 0.2, -1.0)) * (1 - glow) + glow)
        canvas.fill(corners, light.veil(lit, car.distance), CAR)

    for sign in (-1, 1):
        box(sign * half * 0.92, sign * half * 0.66, 0.02, 0.32, rgb(22))
        if car.oncoming:
            box(sign * half * 0.95, sign * half * 0.6, belt - 0.36, belt - 0.2, rgb(236, 238, 230), 0.7)
        else:
            red = rgb(235, 40, 30) if car.braking else rgb(168, 22, 24)
            box(sign * half * 0.96, sign * half * 0.72, belt - 0.32, belt - 0.06, red, 0.8 if car.braking else 0.3)
    if car.oncoming:
        box(-half * 0.5, half * 0.5, belt - 0.38, belt - 0.22, rgb(30))
        box(-half * 0.6, half * 0.6, 0.3, 0.44, rgb(34))
    box(-0.26, 0.26, 0.46, 0.57, rgb(226, 224, 206))
