# SPDX-License-Identifier: Apache-2.0
"""Trees and hedges: crowns of overlapping lobes with leafy, lit edges, on trunks."""

from dataclasses import dataclass

import cv2
import numpy as np

from export.data.scene_canvas import TREE, Bytes, Camera, Canvas, Floats, Light, rgb, tint_of
from export.data.scene_ground import Street

_SIZE = 144
_UP = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Crown:
    """Leaves of one tree: ``(size, size, 3)`` uint8 colours, lit by the scene's sun, and their cut-out."""

    texture: Bytes
    alpha: Bytes
    hedge: Bytes


@dataclass(frozen=True)
class Tree:
    """A tree at a place along the street."""

    offset: float
    distance: float
    height_m: float
    width_m: float
    trunk_m: float
    lean_m: float
    crown: Crown
    mirrored: bool
    tone: Floats

    def shadow(self, street: Street, light: Light) -> Floats:
        """Outline of the crown's shadow on the ground, ``(16, 3)`` world points."""
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        radius = 0.46 * self.width_m * (1 + 0.22 * np.sin(5 * angle + self.height_m))
        middle = 0.5 * (self.height_m + self.trunk_m)
        foot = street.world(self.offset, self.distance)
        cast = -light.sun * middle / light.sun[1]
        stretch = 0.5 * (self.height_m - self.trunk_m) / light.sun[1]
        along = light.sun[[0, 2]] / max(1e-6, float(np.hypot(light.sun[0], light.sun[2])))
        x = foot[0] + cast[0] + radius * np.cos(angle) + along[0] * stretch * 0.3 * np.sin(angle)
        z = foot[2] + cast[2] + radius * np.sin(angle) + along[1] * stretch * 0.3 * np.cos(angle)
        return np.stack([x, np.zeros(16), np.maximum(z, 1.0)], axis=1)


@dataclass(frozen=True)
class Hedge:
    """A hedge along the back of a pavement."""

    side: int
    offset: float
    near: float
    far: float
    height_m: float
    crown: Crown
    tone: Floats


def draw_crowns(rng: np.random.Generator, light: Light, count: int = 3) -> list[Crown]:
    """Draw the crowns of one scene, each with its own outline and green."""
    return [_draw_crown(rng, light) for _ in range(count)]


def _draw_crown(rng: np.random.Generator, light: Light) -> Crown:
    """Crown as the upper envelope of round lobes, roughened by noise at leaf and branch scale."""
    axis = np.linspace(-1, 1, _SIZE, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    slender = rng.random() < 0.25
    lobes = int(rng.integers(9, 14))
    angle, reach = rng.uniform(0, 2 * np.pi, lobes), 0.62 * np.sqrt(rng.random(lobes))
    radius = rng.uniform(0.26, 0.42, lobes)
    envelope = np.full((_SIZE, _SIZE), -1, dtype=np.float32)
    lit = np.zeros((_SIZE, _SIZE), dtype=np.float32)
    sun = light.sun.astype(np.float32)
    for a, d, r in zip(angle, reach, radius, strict=True):
        centre_x, centre_y = d * np.cos(a), d * np.sin(a)
        if slender:
            centre_x *= 0.25 + 0.75 * (centre_y + 1) / 2
        dx, dy = (x - np.float32(centre_x)) / np.float32(r), (y - np.float32(centre_y)) / np.float32(r)
        height = 1 - dx * dx - dy * dy
        front = height > envelope
        towards = dx * sun[0] - dy * sun[1] - np.sqrt(np.maximum(height, 0)) * sun[2]
        np.copyto(envelope, height, where=front)
        np.copyto(lit, towards, where=front)
    leaves = rng.random((_SIZE, _SIZE), dtype=np.float32) - 0.5
    sprigs = cv2.resize(rng.random((36, 36), dtype=np.float32) - 0.5, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    alpha = envelope + 0.9 * sprigs + 0.35 * cv2.blur(leaves, (3, 3))
    direct = np.float32(light.direct / (light.ambient + light.direct))
    tone = 0.62 + direct * 0.42 * lit - 0.16 * y + 0.3 * sprigs + 0.34 * leaves
    green = rgb(rng.uniform(84, 128), rng.uniform(118, 144), rng.uniform(46, 66)).astype(np.float32)
    texture = np.clip(np.clip(tone, 0.16, 1.35)[..., None] * green, 0, 255).astype(np.uint8)
    cut = (np.clip(0.5 + 2.5 * alpha, 0, 1) * 255).astype(np.uint8)
    return Crown(texture, cut, texture[_SIZE // 3 : 2 * _SIZE // 3, _SIZE // 5 : 4 * _SIZE // 5])


def draw_trees(
    rng: np.random.Generator, crowns: list[Crown], street: Street, side: int, avenue: bool, town: bool
) -> tuple[list[Tree], list[Hedge]]:
    """Draw the trees of one side: an avenue along the kerb or a scatter behind the pavement, and hedges of gardens."""
    kerb = street.left_kerb if side < 0 else street.right_kerb
    frontage = street.left_frontage if side < 0 else street.right_frontage
    trees = []
    z = float(rng.uniform(5, 16))
    while z < 120:
        crown = crowns[int(rng.integers(len(crowns)))]
        height = float(rng.uniform(5, 8.5) if avenue else rng.uniform(4.5, 11))
        behind = frontage + side * rng.uniform(1.5, 9)
        offset = kerb + side * 0.9 if avenue else behind
        present = rng.random() < (0.85 if avenue else 0.12 if town else 0.7)
        width = height * float(rng.uniform(0.6, 0.85))
        trunk = float(rng.uniform(2.0, 2.8)) if avenue else height * float(rng.uniform(0.16, 0.3))
        lean, mirrored, tone = rng.normal(0, 0.15), bool(rng.random() < 0.5), rng.uniform(0.8, 1.15) * np.ones(3)
        if present:
            trees.append(Tree(offset, z, height, width, trunk, lean, crown, mirrored, tone))
        z += float(rng.uniform(8, 13) if avenue else rng.uniform(5, 12))
    hedges = []
    if not town:
        z = float(rng.uniform(2, 8))
        while z < 90:
            length = float(rng.uniform(6, 14))
            if rng.random() < 0.7:
                crown = crowns[int(rng.integers(len(crowns)))]
                tone = rng.uniform(0.8, 1.1) * np.ones(3)
                hedges.append(Hedge(side, frontage, z, z + length, float(rng.uniform(0.8, 1.7)), crown, tone))
            z += length + float(rng.uniform(2.5, 4))
    return trees, hedges


def paint_tree(canvas: Canvas, camera: Camera, light: Light, street: Street, tree: Tree) -> None:
    """Paint trunk and crown."""
    foot = street.world(tree.offset, tree.distance)
    scale = camera.pixels_per_metre(tree.distance)
    crown_low = tree.trunk_m * 0.85
    fork = foot + np.array([tree.lean_m, crown_low + 0.35 * (tree.height_m - crown_low), 0.0])
    thick = 0.045 * tree.height_m
    bark = light.shade(rgb(92, 76, 62), (-np.sign(tree.offset) * 0.7, 0.2, -0.7), tree.distance)
    u0, u1 = camera.project(foot), camera.project(fork)
    half, slim = np.array([0.5 * thick * scale, 0.0]), np.array([0.28 * thick * scale, 0.0])
    canvas.fill(np.stack([u0 - half * 1.25, u1 - slim, u1 + slim, u0 + half * 1.25]), bark, TREE)
    canvas.fill(np.stack([u0 + half * 0.3, u1 + slim * 0.3, u1 + slim, u0 + half * 1.25]), bark * 0.72)
    top, wide = np.array([0.0, tree.height_m, 0.0]), np.array([0.5 * tree.width_m, 0.0, 0.0])
    lean = np.array([tree.lean_m, 0.0, 0.0])
    low = np.array([0.0, crown_low, 0.0])
    square = np.stack([foot + lean + top - wide, foot + lean + top + wide, foot + lean + low + wide, foot + lean + low - wide])
    texture, alpha = tree.crown.texture, tree.crown.alpha
    if tree.mirrored:
        alpha = alpha[:, ::-1]
    tint = tint_of(light, _UP, tree.distance, tree.tone)
    canvas.paste(texture, camera.project(square), tint, TREE, alpha)


def paint_hedge(canvas: Canvas, camera: Camera, light: Light, street: Street, hedge: Hedge) -> None:
    """Paint a hedge: the end that faces the camera, its top and its face along the street."""
    near, far = street.world(hedge.offset, np.array([hedge.near, hedge.far]))
    up, back = np.array([0.0, hedge.height_m, 0.0]), np.array([hedge.side * 0.9, 0.0, 0.0])
    middle = 0.5 * (hedge.near + hedge.far)
    faces = (
        (np.stack([near + up, near + up + back, near + back, near]), 0.62, hedge.near),
        (np.stack([near + up, far + up, far + up + back, near + up + back]), 1.1, middle),
        (np.stack([near + up, far + up, far, near]), 0.78, middle),
    )
    for quad, tone, distance in faces:
        canvas.paste(hedge.crown.hedge, camera.project(quad), tint_of(light, _UP, distance, hedge.tone * tone), TREE)
