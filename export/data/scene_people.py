# SPDX-License-Identifier: Apache-2.0
"""People on the pavements and crossing, and street furniture: lamps and signs, which are void in the label."""

from dataclasses import dataclass

import numpy as np

from export.data.scene_canvas import PERSON, VOID, Camera, Canvas, Floats, Light, rgb
from export.data.scene_ground import KERB_M, Street

_SKIN = ((236, 196, 168), (214, 166, 132), (164, 112, 82), (104, 70, 52))
_CLOTHES = ((46, 52, 66), (122, 34, 40), (38, 74, 116), (196, 190, 178), (66, 86, 60), (196, 150, 52), (88, 78, 92))
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


def draw_people(rng: np.random.Generator, street: Street) -> list[Person]:
    """Draw people on both pavements, alone or in pairs, and now and then somebody who crosses."""
    people = []
    for kerb, frontage in ((street.left_kerb, street.left_frontage), (street.right_kerb, street.right_frontage)):
        z = float(rng.uniform(5.5, 16))
        crowd = rng.uniform(0.25, 1.0)
        while z < 60:
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
    hair = rgb(*rng.choice(np.array([[40, 32, 28], [86, 60, 40], [150, 120, 78], [150, 148, 146]])))
    height = float(np.clip(rng.normal(1.7, 0.1), 1.2, 1.95))
    stride, facing = rng.uniform(0.0, 0.24), float(rng.choice([-1, 1]))
    return Person(float(offset), float(distance), ground, height, float(stride), facing, skin, coat, trousers, hair)


def draw_lamps(rng: np.random.Generator, street: Street) -> list[Lamp]:
    """Draw lamps at even distances behind one kerb, and a few signs."""
    side = int(rng.choice([-1, 1]))
    kerb = street.left_kerb if side < 0 else street.right_kerb
    spacing, first, height = rng.uniform(18, 28), rng.uniform(6, 22), rng.uniform(6, 8.5)
    lamps = [Lamp(kerb + side * 0.5, float(z), float(height), -side * 1.6, None) for z in np.arange(first, 115, spacing)]
    for _ in range(int(rng.integers(0, 4))):
        across = float(rng.choice([street.left_kerb - 0.45, street.right_kerb + 0.45]))
        face = rgb(*rng.choice(np.array([[186, 34, 36], [30, 78, 160], [214, 170, 40], [225, 225, 225]])))
        lamps.append(Lamp(across, float(rng.uniform(7, 45)), float(rng.uniform(2.3, 2.9)), 0.0, face))
    return lamps


def paint_person(canvas: Canvas, camera: Camera, light: Light, street: Street, person: Person) -> None:
    """Paint legs, trunk, arms and head of a figure that faces along its stride."""
    foot = street.world(person.offset, person.distance, person.ground_m)
    scale = camera.pixels_per_metre(person.distance) * person.height_m
    origin = camera.project(foot)
    normal = (-0.5 * person.facing, 0.4, -0.77)

    def at(*points: tuple[float, float]) -> Floats:
        return origin + np.array(points) * np.array([scale * person.facing, -scale])

    def lit(colour: Floats, factor: float = 1.0) -> Floats:
        return light.shade(colour * factor, normal, person.distance)

    step = 0.5 * person.stride
    trousers, coat = lit(person.trousers), lit(person.coat)
    canvas.stroke(at((0.0, 0.48), (-step * 0.4, 0.26), (-step * 1.2, 0.04)), 0.075 * scale, lit(person.trousers, 0.75), PERSON)
    canvas.stroke(at((0.01, 0.48), (step * 0.8, 0.27), (step, 0.03)), 0.078 * scale, trousers, PERSON)
    for toe in (-step * 1.2, step):
        canvas.stroke(at((toe, 0.015), (toe + 0.06, 0.012)), 0.04 * scale, lit(rgb(36)), PERSON)
    canvas.stroke(at((-0.05, 0.77), (-0.09 - step * 0.4, 0.6), (-0.05 - step, 0.47)), 0.055 * scale, lit(person.coat, 0.7), PERSON)
    trunk = at((-0.085, 0.82), (-0.1, 0.72), (-0.08, 0.46), (0.085, 0.46), (0.1, 0.72), (0.085, 0.82), (0.0, 0.85))
    canvas.fill(trunk, coat, PERSON)
    canvas.fill(at((-0.085, 0.82), (-0.1, 0.72), (-0.08, 0.46), (-0.01, 0.46), (-0.02, 0.84)), lit(person.coat, 0.84))
    canvas.stroke(at((0.07, 0.78), (0.09 + step * 0.3, 0.62), (0.07 + step, 0.48)), 0.055 * scale, lit(person.coat, 1.08), PERSON)
    canvas.disc(at((0.07 + step, 0.465))[0], 0.025 * scale, lit(person.skin), PERSON)
    canvas.stroke(at((0.0, 0.84), (0.0, 0.9)), 0.055 * scale, lit(person.skin, 0.85), PERSON)
    canvas.disc(at((-0.006, 0.94))[0], 0.06 * scale, lit(person.hair), PERSON)
    canvas.disc(at((0.014, 0.925))[0], 0.046 * scale, lit(person.skin), None)


def paint_lamp(canvas: Canvas, camera: Camera, light: Light, street: Street, lamp: Lamp) -> None:
    """Paint a pole with what it carries."""
    foot = street.world(lamp.offset, lamp.distance, KERB_M)
    scale = camera.pixels_per_metre(lamp.distance)
    top = np.array([0.0, lamp.height_m, 0.0])
    grey = light.shade(rgb(92, 96, 98), (-0.4, 0.2, -0.8), lamp.distance)
    if lamp.sign is not None:
        canvas.stroke(camera.project(np.stack([foot, foot + top])), 0.07 * scale, grey, VOID)
        centre = camera.project(foot + top)
        canvas.disc(centre, 0.33 * scale, light.shade(lamp.sign, (0, 0, -1), lamp.distance), VOID)
        canvas.disc(centre, 0.2 * scale, light.shade(rgb(228), (0, 0, -1), lamp.distance), VOID)
        return
    arm = np.array([lamp.reach_m, 0.35, 0.0])
    canvas.stroke(camera.project(np.stack([foot, foot + top])), 0.14 * scale, grey, VOID)
    bend = np.stack([foot + top, foot + top + arm * np.array([0.4, 0.85, 0]), foot + top + arm])
    canvas.stroke(camera.project(bend), 0.09 * scale, grey, VOID)
    head = np.stack([foot + top + arm, foot + top + arm * np.array([1.4, 0.95, 0])])
    canvas.stroke(camera.project(head), 0.2 * scale, light.shade(rgb(176, 178, 176), (0, 1, 0), lamp.distance), VOID)
