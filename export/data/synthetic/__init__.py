# SPDX-License-Identifier: Apache-2.0
"""Procedural road scenes with labels, so that the project runs end to end without a download.

Each scene is a street seen by a pinhole camera: sky, skyline, buildings, trees, road with lane marks, pavements, cars
and people, under a random sun, haze and camera. Classes are those of ``CLASSES``; grass, verges and hedges are
``tree`` (as CamVid merges vegetation), poles, lamps and signs are ``VOID``. The layout is drawn before anything that
depends on the size, so one seed gives the same street at every size.
"""

from collections.abc import Callable
from functools import partial
from statistics import NormalDist

import cv2
import numpy as np
from torch.utils.data import Dataset

from export.data.synthetic.buildings import Building, draw_facades, draw_row, paint_building
from export.data.synthetic.canvas import CLASSES, PALETTE, VOID, Bytes, Camera, Canvas, Floats
from export.data.synthetic.cars import Car, draw_cars, paint_car
from export.data.synthetic.ground import Street, draw_street, paint_ground
from export.data.synthetic.people import Person, draw_lamps, draw_people, paint_lamp, paint_person
from export.data.synthetic.sky import Weather, draw_weather, paint_sky, paint_skyline
from export.data.synthetic.trees import Tree, draw_crowns, draw_trees, paint_hedge, paint_tree
from export.errors import UsageError

__all__ = ["CLASSES", "PALETTE", "VOID", "SyntheticRoads", "render_scene"]

_SHADOWS_M = 45.0
"""What stands farther away casts no visible shadow."""
_MIN_HEIGHT, _MIN_WIDTH = 32, 64

_NORMAL_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)], dtype=np.float32)
"""Turns uniform bytes into Gaussian noise, an order of magnitude faster than drawing it."""


class SyntheticRoads(Dataset[tuple[Bytes, Bytes]]):
    """Data set of rendered street scenes; item ``i`` depends on ``(seed, i)`` and the size alone.

    Args:
        length: number of scenes, at least 1.
        height: rows of a frame, at least 32.
        width: columns of a frame, at least 64.
        seed: any non-negative integer; equal seeds give equal scenes in any order, process and worker.

    Raises:
        UsageError: a size, a length or a seed out of its range.
    """

    def __init__(self, length: int, height: int = 192, width: int = 384, seed: int = 0) -> None:
        if length < 1:
            raise UsageError(f"expected a length of at least 1, got {length}: ask for one scene or more")
        if seed < 0:
            raise UsageError(f"expected a seed of 0 or more, got {seed}: pass a non-negative integer")
        _check_size(height, width)
        self.length = length
        self.height = height
        self.width = width
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Bytes, Bytes]:
        """Render one scene.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            ``(H, W, 3)`` uint8 RGB frame and ``(H, W)`` uint8 label: indices of ``CLASSES``, or ``VOID``.

        Raises:
            IndexError: an index out of range.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"expected an index in [0, {self.length}), got {index}")
        return render_scene(np.random.default_rng((self.seed, index)), self.height, self.width)


def render_scene(rng: np.random.Generator, height: int, width: int) -> tuple[Bytes, Bytes]:
    """Draw and render one street scene.

    Args:
        rng: source of every choice; advanced by the call.
        height: rows, at least 32.
        width: columns, at least 64.

    Returns:
        ``(height, width, 3)`` uint8 RGB frame and ``(height, width)`` uint8 label.

    Raises:
        UsageError: a size out of its range.
    """
    _check_size(height, width)
    camera = Camera(
        height_m=float(rng.uniform(1.3, 1.75)),
        focal_px=float(rng.uniform(0.72, 0.92)) * width,
        centre_u=float(rng.uniform(0.44, 0.56)) * width,
        horizon_v=float(rng.uniform(0.41, 0.5)) * height,
    )
    weather = draw_weather(rng)
    street = draw_street(rng)
    mirrored = rng.random() < 0.5
    canvas = Canvas(height, width)
    paint_sky(rng, canvas, camera, weather)
    paint_skyline(rng, canvas, camera, weather.light)
    shadows, painters = _draw_objects(rng, canvas, camera, weather, street)
    paint_ground(rng, canvas, camera, weather.light, street, shadows)
    for _, paint in sorted(painters, key=lambda painter: -painter[0]):
        paint()
    frame, label = canvas.finish()
    if mirrored:
        frame, label = np.ascontiguousarray(frame[:, ::-1]), np.ascontiguousarray(label[:, ::-1])
    return _expose(rng, frame), label


def _draw_objects(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, weather: Weather, street: Street
) -> tuple[list[Floats], list[tuple[float, Callable[[], None]]]]:
    """Draw everything that stands on the ground: shadows, and painters with the distance that orders them."""
    light = weather.light
    view = (canvas, camera, light, street)
    shadowed: list[tuple[float, Building | Car | Person | Tree]] = []
    painters: list[tuple[float, Callable[[], None]]] = []
    facades, crowns = draw_facades(rng), draw_crowns(rng, light)
    density = rng.uniform(0, 1)
    for side in (-1, 1):
        local = float(np.clip(density + rng.normal(0, 0.15), 0, 1))
        avenue = bool(rng.random() < 0.35)
        for block in draw_row(rng, facades, street, side, local):
            shadowed.append((block.near, block))
            painters.append((block.far, partial(paint_building, *view, block)))
        trees, hedges = draw_trees(rng, crowns, street, side, avenue, local > 0.55)
        for tree in trees:
            shadowed.append((tree.distance, tree))
            painters.append((tree.distance, partial(paint_tree, *view, tree)))
        painters += [(hedge.far, partial(paint_hedge, *view, hedge)) for hedge in hedges]
    for car in draw_cars(rng, street):
        shadowed.append((car.distance, car))
        painters.append((car.distance, partial(paint_car, *view, car)))
    for person in draw_people(rng, street):
        shadowed.append((person.distance, person))
        painters.append((person.distance, partial(paint_person, *view, person)))
    painters += [(lamp.distance, partial(paint_lamp, *view, lamp)) for lamp in draw_lamps(rng, street)]
    return [thing.shadow(street, light) for near, thing in shadowed if near < _SHADOWS_M], painters


def _expose(rng: np.random.Generator, frame: Bytes) -> Bytes:
    """Take the picture: colour temperature, vignetting, exposure and sensor noise."""
    height, width = frame.shape[:2]
    warmth = rng.normal(0, 0.035)
    gain = np.exp(rng.normal(0.05, 0.1)) * np.array([1 + warmth, 1.0, 1 - warmth])
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1 - np.float32(rng.uniform(0.04, 0.14)) * (0.6 * u * u + 0.4 * v * v)
    sigma = rng.uniform(1.0, 3.0)
    exposed = cv2.multiply(frame, vignette[..., None] * gain.astype(np.float32), dtype=cv2.CV_32F)
    draws = rng.integers(0, 256, frame.shape, dtype=np.uint8)
    noise = cv2.LUT(draws, _NORMAL_QUANTILES * np.float32(sigma))
    sensed: Bytes = cv2.add(exposed, noise, dtype=cv2.CV_8U)
    return sensed


def _check_size(height: int, width: int) -> None:
    if height < _MIN_HEIGHT or width < _MIN_WIDTH:
        raise UsageError(
            f"expected frames of at least {_MIN_HEIGHT} x {_MIN_WIDTH} pixels, got {height} x {width}: ask for more"
        )
