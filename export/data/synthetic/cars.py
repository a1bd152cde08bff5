# SPDX-License-Identifier: Apache-2.0
"""Cars: a side profile swept across the width, shaded panel by panel, with glass, wheels, lamps and a plate."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from export.data.synthetic.canvas import CAR, Camera, Canvas, Floats, Light, rgb
from export.data.synthetic.ground import Street

_PAINTS = np.array(
    [
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
    ],
    dtype=np.float64,
)
_FINE_DETAIL_M = 28.0
"""Beyond this distance a car is painted without sills, hubs, grille and plate."""


@dataclass(frozen=True)
class Shape:
    """Side profile from the rear bumper over the roof to the front bumper, ``(along, up)`` in metres.

    ``glass`` names the panels between the profile's points that are windows.
    """

    profile: tuple[tuple[float, float], ...]
    glass: tuple[int, ...]
    belt_m: float
    width_m: float
    wheels: tuple[float, float]
    side_windows: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def length_m(self) -> float:
        """Overall length."""
        return self.profile[-1][0]


_HATCHBACK = Shape(
    ((0.06, 0.24), (0.0, 0.42), (0.02, 0.66), (0.1, 0.93), (0.52, 1.4), (0.8, 1.47), (1.9, 1.48), (2.25, 1.42),
     (2.98, 0.97), (3.82, 0.78), (3.98, 0.58), (4.0, 0.24)),
    (3, 7), 0.95, 1.78, (0.72, 3.22),
    (((0.56, 1.0), (0.82, 1.36), (1.36, 1.4), (1.36, 0.98)), ((1.46, 0.98), (1.46, 1.4), (2.2, 1.36), (2.74, 0.97))),
)  # fmt: skip
_SALOON = Shape(
    ((0.06, 0.26), (0.0, 0.5), (0.03, 0.86), (0.16, 0.99), (0.72, 1.02), (1.36, 1.4), (1.7, 1.45), (2.4, 1.45),
     (2.66, 1.4), (3.36, 0.98), (4.36, 0.8), (4.54, 0.6), (4.55, 0.26)),
    (4, 8), 0.97, 1.82, (0.86, 3.68),
    (((0.96, 1.0), (1.42, 1.34), (1.94, 1.38), (1.94, 0.98)), ((2.04, 0.98), (2.04, 1.38), (2.62, 1.34), (3.14, 0.98))),
)  # fmt: skip
_SUV = Shape(
    ((0.06, 0.32), (0.0, 0.56), (0.03, 0.8), (0.08, 1.06), (0.34, 1.6), (0.6, 1.7), (2.4, 1.7), (2.66, 1.63),
     (3.3, 1.14), (4.28, 0.98), (4.46, 0.74), (4.48, 0.32)),
    (3, 7), 1.1, 1.9, (0.84, 3.6),
    (((0.46, 1.16), (0.64, 1.56), (1.5, 1.6), (1.5, 1.13)), ((1.6, 1.13), (1.6, 1.6), (2.6, 1.57), (3.06, 1.14))),
)  # fmt: skip
_VAN = Shape(
    ((0.04, 0.34), (0.0, 0.56), (0.02, 0.9), (0.04, 1.24), (0.08, 1.9), (0.2, 2.14), (3.7, 2.16), (4.0, 2.04),
     (4.62, 1.28), (5.1, 1.04), (5.22, 0.74), (5.24, 0.34)),
    (3, 7), 1.2, 2.02, (1.0, 4.24),
    (((3.34, 1.22), (3.34, 1.86), (3.92, 1.84), (4.4, 1.24)),),
)  # fmt: skip
_SHAPES = (_HATCHBACK, _HATCHBACK, _SALOON, _SALOON, _SUV, _SUV, _HATCHBACK, _SALOON, _SUV, _VAN)


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
        """Outline of the shadow under and beside the car, ``(4, 3)`` world points."""
        half, length = 0.5 * self.shape.width_m + 0.1, self.shape.length_m
        cast_x, cast_z = (float(light.sun[axis] * -1.2 / light.sun[1]) for axis in (0, 2))
        left, right = -half + min(0.0, cast_x), half + max(0.0, cast_x)
        near = max(1.0, self.distance - 0.25 + 0.6 * min(0.0, cast_z))
        far = self.distance + length + 0.2 + 0.6 * max(0.0, cast_z)
        corners = np.array([[left, near], [right, near], [right, far], [left, far]])
        return street.world(self.offset + corners[:, 0], corners[:, 1])


@dataclass(frozen=True)
class _Mesh:
    """Polygons of a car in painter's order; corners are ``(across, up, along)`` metres from its near end."""

    points: Floats
    corners: NDArray[np.int_]
    paint_share: Floats
    tint: Floats
    normals: Floats
    glow: Floats
    hideable: NDArray[np.bool_]
    solid: NDArray[np.bool_]
    first: NDArray[np.int_]
    """Index of each polygon's first corner."""


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
        while z < (60 if parked else 80):
            shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
            paint = _PAINTS[int(rng.integers(len(_PAINTS)))] * rng.uniform(0.85, 1.05)
            chance = rng.random(3)
            facing = bool(chance[0] < 0.2) != oncoming if parked else oncoming
            shift, braking = rng.normal(0, 0.05 if parked else 0.18), bool(chance[1] < 0.3)
            gap = float(rng.uniform(0.8, 2.5) if parked else rng.uniform(7, 34))
            if chance[2] < (0.75 if parked else busy):
                cars.append(Car(shape, paint, x + shift, z, facing, braking and not parked))
            z += shape.length_m + gap
    return cars


def paint_car(canvas: Canvas, camera: Camera, light: Light, street: Street, car: Car) -> None:
    """Paint the panels that face the camera from far to near, then the visible flank, wheels, lamps and plate."""
    centre = float(street.world(car.offset, car.distance)[0])
    mesh = _mesh(car.shape, car.oncoming, car.braking, centre < 0, car.distance < _FINE_DETAIL_M)
    slope = street.heading + street.curvature * car.distance
    points = mesh.points.copy()
    points[:, 0] += centre + slope * points[:, 2]
    points[:, 2] += car.distance
    pixels = camera.project(points)
    if pixels[:, 0].max() < 0 or pixels[:, 0].min() > canvas.width:
        return
    corner = points[mesh.first]
    towards = mesh.normals[:, 1] * (camera.height_m - corner[:, 1]) - mesh.normals[:, 2] * corner[:, 2]
    shown = ~mesh.hideable | (towards > 0)
    albedo = mesh.paint_share[:, None] * car.paint + mesh.tint
    colours = light.shade_all(albedo, mesh.normals, car.distance, mesh.glow)
    kept = pixels[np.repeat(shown, mesh.corners)]
    canvas.draw_parts(kept, mesh.corners[shown].tolist(), colours[shown], CAR, mesh.solid[shown].tolist())


@cache
def _mesh(shape: Shape, oncoming: bool, braking: bool, right_flank: bool, fine: bool) -> _Mesh:
    """Build the polygons of a car once for each side from which it can be seen."""
    faces = [_face(_box(-0.46, 0.46, 0.02, 0.4, 0.35, shape), 0.0, rgb(20), (0, 0, -1), solid=True)]
    faces += _panels(shape, oncoming)
    faces += _flank(shape, oncoming, 1.0 if right_flank else -1.0, fine)
    faces += _end(shape, oncoming, braking, fine)
    corners = np.array([len(face.points) for face in faces])
    return _Mesh(
        points=np.concatenate([face.points for face in faces]),
        corners=corners,
        paint_share=np.concatenate([face.paint_share for face in faces]),
        tint=np.concatenate([face.tint for face in faces]),
        normals=np.concatenate([face.normals for face in faces]),
        glow=np.concatenate([face.glow for face in faces]),
        hideable=np.concatenate([face.hideable for face in faces]),
        solid=np.concatenate([face.solid for face in faces]),
        first=np.concatenate([[0], np.cumsum(corners)[:-1]]),
    )


def _face(
    points: Floats,
    paint_share: float,
    tint: Floats,
    normal: tuple[float, float, float],
    *,
    glow: float = 0.0,
    hideable: bool = False,
    solid: bool = False,
) -> _Mesh:
    """Mesh of one polygon, ``(N, 3)``."""
    one = np.ones(1)
    return _Mesh(points, np.array([len(points)]), paint_share * one, tint[None], np.array([normal], dtype=np.float64),
                 glow * one, np.array([hideable]), np.array([solid]), np.zeros(1, dtype=int))  # fmt: skip


def _half_width(shape: Shape, up: Floats) -> Floats:
    """Half the width at a height: the cabin leans in above the belt."""
    half: Floats = 0.5 * shape.width_m * (1 - 0.3 * np.maximum((up - shape.belt_m) / shape.belt_m, 0))
    return half * np.where(up < 0.45, 0.96, 1.0)


def _box(left: float, right: float, low: float, high: float, along: float, shape: Shape) -> Floats:
    """Upright rectangle across the car; ``left`` and ``right`` are shares of the width."""
    x = np.array([left, left, right, right]) * shape.width_m
    return np.stack([x, np.array([low, high, high, low]), np.full(4, along)], axis=1)


def _panels(shape: Shape, oncoming: bool) -> list[_Mesh]:
    """Roof, screens, bonnet and bumper, far to near."""
    profile, glass = np.array(shape.profile), set(shape.glass)
    if oncoming:
        profile = np.stack([shape.length_m - profile[::-1, 0], profile[::-1, 1]], axis=1)
        glass = {len(profile) - 2 - index for index in glass}
    half = _half_width(shape, profile[:, 1])
    faces = []
    for index in reversed(range(len(profile) - 1)):
        (z0, y0), (z1, y1) = profile[index : index + 2].tolist()
        h0, h1 = half[index : index + 2].tolist()
        size = math.hypot(z1 - z0, y1 - y0)
        normal = (0.0, (z1 - z0) / size, -(y1 - y0) / size)
        quad = np.array([[-h0, y0, z0], [-h1, y1, z1], [h1, y1, z1], [h0, y0, z0]])
        if index in glass:
            faces.append(_face(quad, 0.8, rgb(0), normal, hideable=True, solid=True))
            pane = quad.mean(axis=0) + (quad - quad.mean(axis=0)) * 0.88
            faces.append(_face(pane, 0.0, rgb(34, 40, 47) + 60 * max(0.0, normal[1]), normal, hideable=True))
            shine = np.stack([pane[1], 0.45 * pane[1] + 0.55 * pane[2], 0.7 * pane[0] + 0.3 * pane[3], pane[0]])
            faces.append(_face(shine, 0.0, rgb(56, 64, 74) + 66 * max(0.0, normal[1]), normal, hideable=True))
        else:
            share, gloss = (0.42, 0.0) if y0 < 0.4 else (1.0, 22 * max(0.0, normal[1]))
            faces.append(_face(quad, share, rgb(gloss), normal, hideable=True, solid=True))
    return faces


def _flank(shape: Shape, oncoming: bool, side: float, fine: bool) -> list[_Mesh]:
    """The side that looks towards the camera's path, with its windows, sill and wheels."""

    def on_flank(outline: Floats) -> Floats:
        along = shape.length_m - outline[:, 0] if oncoming else outline[:, 0]
        return np.stack([side * _half_width(shape, outline[:, 1]), outline[:, 1], along], axis=1)

    normal = (side, 0.1, 0.0)
    faces = [_face(on_flank(np.array(shape.profile)), 1.0, rgb(0), normal, solid=True)]
    if fine:
        end = shape.length_m - 0.1
        sill = np.array([[0.1, 0.24], [0.1, 0.44], [end, 0.44], [end, 0.24]])
        faces.append(_face(on_flank(sill), 0.45, rgb(0), normal))
        handle = np.array([[1.34, 0.26], [1.34, 0.98], [1.38, 0.98], [1.38, 0.26]]) * [shape.length_m / 3.2, 1]
        faces.append(_face(on_flank(handle), 0.7, rgb(0), normal))
    faces += [_face(on_flank(np.array(window)), 0.0, rgb(58, 66, 76), normal) for window in shape.side_windows]
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for wheel in shape.wheels:
        hub = np.array([wheel, 0.33])
        faces.append(_face(on_flank(ring * 0.35 + hub), 0.0, rgb(32), normal, solid=True))
        if fine:
            faces.append(_face(on_flank(ring * 0.2 + hub), 0.0, rgb(142, 144, 148), normal))
    return faces


def _end(shape: Shape, oncoming: bool, braking: bool, fine: bool) -> list[_Mesh]:
    """Tyres, lamps, plate and grille of the end that faces the camera."""
    normal, belt = (0.0, 0.2, -1.0), shape.belt_m
    faces = []
    for sign in (-1, 1):
        faces.append(_face(_box(sign * 0.46, sign * 0.35, 0.02, 0.3, 0.03, shape), 0.0, rgb(24), normal, solid=True))
        if oncoming:
            lamp = _box(sign * 0.47, sign * 0.3, belt - 0.36, belt - 0.2, 0.02, shape)
            faces.append(_face(lamp, 0.0, rgb(238, 240, 234), normal, glow=0.7))
        else:
            lamp = _box(sign * 0.48, sign * 0.37, belt - 0.32, belt - 0.06, 0.03, shape)
            red, glow = (rgb(240, 46, 34), 0.8) if braking else (rgb(168, 24, 26), 0.3)
            faces.append(_face(lamp, 0.0, red, normal, glow=glow))
    if fine:
        if oncoming:
            faces.append(_face(_box(-0.25, 0.25, belt - 0.37, belt - 0.22, 0.02, shape), 0.0, rgb(34), normal))
            faces.append(_face(_box(-0.3, 0.3, 0.3, 0.42, 0.02, shape), 0.0, rgb(34), normal))
        faces.append(_face(_box(-0.14, 0.14, 0.46, 0.57, 0.01, shape), 0.0, rgb(226, 224, 206), normal))
    return faces
