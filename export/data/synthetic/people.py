# SPDX-License-Identifier: Apache-2.0
"""People on the pavements and crossing, and street furniture: lamps and signs, which are void in the label."""

from dataclasses import dataclass

import numpy as np

from export.data.synthetic.canvas import PERSON, VOID, Camera, Canvas, Floats, Light, rgb
from export.data.synthetic.ground import KERB_M, Street

_SKIN = ((236, 196, 168), (214, 166, 132), (164, 112, 82), (104, 70, 52))
_CLOTHES = ((46, 52, 66), (122, 34, 40), (38, 74, 116), (196, 190, 178), (66, 86, 60), (196, 150, 52), (88, 78, 92))
_HAIRS = ((40, 32, 28), (86, 60, 40), (150, 120, 78), (150, 148, 146))
_SIGNS = ((186, 34, 36), (30, 78, 160), (214, 170, 40), (150, 36, 40))
_TROUSERS = ((44, 48, 62), (62, 74, 100), (88, 80, 70), (32, 32, 36))


@dataclass(frozen=True)
class Person:
    """Somebody standing or walking; ``stride`` is the phase of the step, ``facing`` +1 to the right."""

    offset: float
    distance: float
    ground_m: float
    height_m: float
    stride: float
    facing: float
    skin: Floats
    coat: Floats
    trousers: Floats
    hair: Floats

    def shadow(self, street: Street, light: Light) -> Floats:
        """Outline of the shadow, ``(4, 3)`` world points."""
        foot = street.world(self.offset, self.distance)
        tip = foot - light.sun * self.height_m / light.sun[1]
        across = np.array([0.2, 0.0, 0.0])
        quad = np.stack([foot - across, foot + across, tip + across, tip - across])
        quad[:, 1], quad[:, 2] = 0.0, np.maximum(quad[:, 2], 1.0)
        return quad


@dataclass(frozen=True)
class Lamp:
    """A street lamp whose arm reaches over the road, or a round sign on a pole."""

    offset: float
    distance: float
    height_m: float
    reach_m: float
    sign: Floats | None


@dataclass(frozen=True)
class _Part:
    """Limb of a figure that is one unit tall, painted in the order of the list."""

    material: int
    tone: float
    thick: float
    """Width of the limb; 0 fills the outline."""
    joints: tuple[tuple[float, float, float], ...]
    """``(x, y, dx)``: a full step moves the joint by ``dx``."""


_COAT, _LEGS, _HEAD, _HAIR, _SHOE = range(5)
_PARTS = (
    _Part(_LEGS, 0.75, 0.075, ((0.0, 0.48, 0.0), (0.0, 0.26, -0.4), (0.0, 0.04, -1.2))),
    _Part(_SHOE, 1.0, 0.04, ((0.0, 0.015, -1.2), (0.06, 0.012, -1.2))),
    _Part(_LEGS, 1.0, 0.078, ((0.01, 0.48, 0.0), (0.0, 0.27, 0.8), (0.0, 0.03, 1.0))),
    _Part(_SHOE, 1.0, 0.04, ((0.0, 0.015, 1.0), (0.06, 0.012, 1.0))),
    _Part(_COAT, 0.7, 0.055, ((-0.05, 0.77, 0.0), (-0.09, 0.6, -0.4), (-0.05, 0.47, -1.0))),
    _Part(_COAT, 1.0, 0.0, ((-0.085, 0.82, 0.0), (-0.1, 0.72, 0.0), (-0.08, 0.46, 0.0), (0.085, 0.46, 0.0),
                             (0.1, 0.72, 0.0), (0.085, 0.82, 0.0), (0.0, 0.85, 0.0))),
    _Part(_COAT, 0.84, 0.0, ((-0.085, 0.82, 0.0), (-0.1, 0.72, 0.0), (-0.08, 0.46, 0.0), (-0.01, 0.46, 0.0),
                              (-0.02, 0.84, 0.0))),
    _Part(_HEAD, 1.0, 0.05, ((0.07, 0.47, 1.0), (0.072, 0.46, 1.0))),
    _Part(_COAT, 1.08, 0.055, ((0.07, 0.78, 0.0), (0.09, 0.62, 0.3), (0.07, 0.49, 1.0))),
    _Part(_HEAD, 0.85, 0.055, ((0.0, 0.84, 0.0), (0.0, 0.9, 0.0))),
    _Part(_HAIR, 1.0, 0.12, ((-0.006, 0.938, 0.0), (-0.005, 0.945, 0.0))),
    _Part(_HEAD, 1.0, 0.092, ((0.014, 0.92, 0.0), (0.014, 0.928, 0.0))),
)  # fmt: skip
_MATERIALS = [part.material for part in _PARTS]
_TONES = np.array([[part.tone] for part in _PARTS])
_THICKNESS = np.array([part.thick for part in _PARTS])
_COUNTS = [len(part.joints) for part in _PARTS]
_LEATHER, _STEEL, _LANTERN = rgb(36), rgb(92, 96, 98), rgb(178, 180, 178)
_JOINTS = np.array([joint[:2] for part in _PARTS for joint in part.joints])
_SWING = np.array([(joint[2], 0.0) for part in _PARTS for joint in part.joints])


def draw_people(rng: np.random.Generator, street: Street) -> list[Person]:
    """Draw people on both pavements, alone or in pairs, and now and then somebody who crosses."""
    people = []
    for kerb, frontage in ((street.left_kerb, street.left_frontage), (street.right_kerb, street.right_frontage)):
        z = float(rng.uniform(5.5, 16))
        crowd = rng.uniform(0.25, 1.0)
        while z < 48:
            if rng.random() < crowd:
                along = rng.uniform(0.3, 0.9)
                people.append(_draw_person(rng, kerb + along * (frontage - kerb), z, KERB_M))
                if rng.random() < 0.35:
                    beside = kerb + float(np.clip(along - 0.35, 0.15, 1.0)) * (frontage - kerb)
                    people.append(_draw_person(rng, beside, z + 0.3, KERB_M))
            z += float(rng.uniform(2.5, 13))
    if rng.random() < 0.2:
        people.append(_draw_person(rng, rng.uniform(street.left_kerb, street.right_kerb), rng.uniform(11, 26), 0.0))
    return people


def _draw_person(rng: np.random.Generator, offset: float, distance: float, ground: float) -> Person:
    skin, coat, trousers = (
        rgb(*table[int(rng.integers(len(table)))]) * rng.uniform(0.85, 1.1) for table in (_SKIN, _CLOTHES, _TROUSERS)
    )
    hair = rgb(*_HAIRS[int(rng.integers(len(_HAIRS)))])
    height = float(np.clip(rng.normal(1.7, 0.1), 1.2, 1.95))
    stride, facing = rng.uniform(0.0, 0.24), float(2 * rng.integers(2) - 1)
    return Person(float(offset), float(distance), ground, height, float(stride), facing, skin, coat, trousers, hair)


def draw_lamps(rng: np.random.Generator, street: Street) -> list[Lamp]:
    """Draw lamps at even distances behind one kerb, and a few signs."""
    side = 2 * int(rng.integers(2)) - 1
    kerb = street.left_kerb if side < 0 else street.right_kerb
    spacing, first, height = rng.uniform(18, 28), rng.uniform(6, 22), rng.uniform(6, 8.5)
    lamps = [
        Lamp(kerb + side * 0.5, float(z), float(height), -side * 1.6, None) for z in np.arange(first, 115, spacing)
    ]
    for _ in range(int(rng.integers(0, 4))):
        across = (street.left_kerb - 0.45, street.right_kerb + 0.45)[int(rng.integers(2))]
        face = rgb(*_SIGNS[int(rng.integers(len(_SIGNS)))])
        lamps.append(Lamp(across, float(rng.uniform(10, 45)), float(rng.uniform(2.3, 2.9)), 0.0, face))
    return lamps


def paint_person(canvas: Canvas, camera: Camera, light: Light, street: Street, person: Person) -> None:
    """Paint legs, trunk, arms and head of a figure that faces along its stride."""
    foot = street.world(person.offset, person.distance, person.ground_m)
    scale = camera.pixels_per_metre(person.distance) * person.height_m
    points = _JOINTS + 0.5 * person.stride * _SWING
    pixels = camera.project(foot) + points * np.array([scale * person.facing, -scale])
    if pixels[:, 0].max() < 0 or pixels[:, 0].min() > canvas.width:
        return
    materials = np.array([person.coat, person.trousers, person.skin, person.hair, _LEATHER])
    normals = np.array([[-0.5 * person.facing, 0.4, -0.77]])
    colours = light.shade_all(materials[_MATERIALS] * _TONES, normals, person.distance)
    canvas.draw_parts(pixels, _COUNTS, colours, PERSON, widths_px=(_THICKNESS * scale).tolist())


def paint_lamp(canvas: Canvas, camera: Camera, light: Light, street: Street, lamp: Lamp) -> None:
    """Paint a pole with what it carries."""
    foot = street.world(lamp.offset, lamp.distance, KERB_M)
    scale = camera.pixels_per_metre(lamp.distance)
    top, reach = lamp.height_m, lamp.reach_m
    if lamp.sign is None:
        joints = [(0, 0), (0, top), (0, top), (0.4 * reach, top + 0.3), (reach, top + 0.35), (reach, top + 0.35)]
        joints += [(1.4 * reach, top + 0.33)]
        counts, widths = (2, 3, 2), (0.14, 0.09, 0.2)
        albedo = np.stack([_STEEL, _STEEL, _LANTERN])
    else:
        joints = [(0, 0), (0, top), (0, top), (0.001, top), (0, top), (0.001, top)]
        counts, widths = (2, 2, 2), (0.07, 0.62, 0.38)
        albedo = np.stack([_STEEL, lamp.sign, _LANTERN * 1.25])
    points = np.broadcast_to(foot, (len(joints), 3)).copy()
    points[:, :2] += np.array(joints)
    normals = np.array([[-0.4, 0.2, -0.8]])
    colours = light.shade_all(albedo, normals, lamp.distance)
    canvas.draw_parts(camera.project(points), counts, colours, VOID, widths_px=[width * scale for width in widths])
