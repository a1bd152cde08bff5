# SPDX-License-Identifier: Apache-2.0
"""Trees and hedges: crowns of overlapping lobes with leafy, lit edges, on trunks."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from export.data.synthetic.canvas import TREE, Bytes, Camera, Canvas, Floats, Light, Texture, halvings, rgb, tint_of
from export.data.synthetic.ground import Street

_BARK, _HEDGE_TOP = rgb(92, 76, 62), rgb(84, 106, 48)
_SIZE = 128
"""Texels along a crown."""
_LEVELS = 4
_PATCH = np.s_[40:80, 24:104]
"""The part of a crown that hedges are made of."""
_OUTLINES = 24
"""How many outlines of crowns there are."""
_UP = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Crown:
    """Leaves of one tree, lit by the scene's sun: the whole crown with its cut-out, and a patch to make hedges of."""

    whole: Texture
    patch: Texture


@dataclass(frozen=True)
class _Leafage:
    """A crown before it is lit: where its surface points, how dense its leaves are, and its cut-out."""

    normals: Floats
    tone: Floats
    alpha: Bytes


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
    """Draw the crowns of one scene: outlines from a fixed set, each with its own green, lit by the sun."""
    direct = light.direct / (light.ambient + light.direct)
    towards = (0.42 * direct * light.sun * np.array([1.0, -1.0, -1.0]))[None].astype(np.float32)
    crowns = []
    for _ in range(count):
        leafage = _leafage(int(rng.integers(_OUTLINES)))
        green = rgb(rng.uniform(90, 132), rng.uniform(124, 150), rng.uniform(48, 68))
        tone = cv2.transform(leafage.normals, towards) + leafage.tone
        np.minimum(np.maximum(tone, 0.16, out=tone), 1.35, out=tone)
        colours = cv2.convertScaleAbs(cv2.transform(tone, green[:, None].astype(np.float32)))
        levels = halvings(cv2.merge([*cv2.split(colours), leafage.alpha]), _LEVELS)
        patch = halvings(np.ascontiguousarray(colours[_PATCH]), _LEVELS)
        crowns.append(Crown(Texture(levels), Texture(patch)))
    return crowns


@cache
def _leafage(outline: int) -> _Leafage:
    """Crown as the upper envelope of round lobes, roughened by noise at leaf and branch scale; the same every time."""
    rng = np.random.default_rng(outline)
    axis = np.linspace(-1, 1, _SIZE, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    lobes = int(rng.integers(9, 14))
    angle, reach = rng.uniform(0, 2 * np.pi, lobes), 0.62 * np.sqrt(rng.random(lobes))
    radius = rng.uniform(0.26, 0.42, lobes)
    envelope = np.full((_SIZE, _SIZE), -1, dtype=np.float32)
    normals = np.zeros((_SIZE, _SIZE, 3), dtype=np.float32)
    for a, d, r in zip(angle, reach, radius, strict=True):
        centre_x, centre_y = d * np.cos(a), d * np.sin(a)
        if outline % 4 == 0:
            centre_x *= 0.25 + 0.75 * (centre_y + 1) / 2
        dx, dy = np.broadcast_arrays(
            (x - np.float32(centre_x)) / np.float32(r), (y - np.float32(centre_y)) / np.float32(r)
        )
        height = 1 - dx * dx - dy * dy
        front = height > envelope
        np.copyto(envelope, height, where=front)
        np.copyto(normals, np.stack([dx, dy, np.sqrt(np.maximum(height, 0))], axis=-1), where=front[..., None])
    leaves = rng.random((_SIZE, _SIZE), dtype=np.float32) - 0.5
    sprigs = cv2.resize(rng.random((36, 36), dtype=np.float32) - 0.5, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    alpha = envelope + 0.9 * sprigs + 0.35 * cv2.blur(leaves, (3, 3))
    tone = 0.66 - 0.16 * y + 0.3 * sprigs + 0.34 * leaves
    cut = (np.clip(0.5 + 2.5 * alpha, 0, 1) * 255).astype(np.uint8)
    return _Leafage(normals, tone.astype(np.float32), cut)


def draw_trees(
    rng: np.random.Generator, crowns: list[Crown], street: Street, side: int, avenue: bool, town: bool
) -> tuple[list[Tree], list[Hedge]]:
    """Draw the trees of one side: an avenue along the kerb or a scatter behind the pavement, and hedges of gardens."""
    kerb = street.left_kerb if side < 0 else street.right_kerb
    frontage = street.left_frontage if side < 0 else street.right_frontage
    trees = []
    z = float(rng.uniform(5, 16))
    while z < 100:
        crown = crowns[int(rng.integers(len(crowns)))]
        height = float(rng.uniform(5, 8.5) if avenue else rng.uniform(4.5, 11))
        behind = frontage + side * rng.uniform(1.5, 9)
        offset = kerb + side * 0.9 if avenue else behind
        present = rng.random() < (0.85 if avenue else 0.12 if town else 0.7)
        width = height * float(rng.uniform(0.6, 0.85))
        trunk = float(rng.uniform(2.0, 2.8)) if avenue else height * float(rng.uniform(0.16, 0.3))
        lean, tone = float(rng.normal(0, 0.15)), rng.uniform(0.8, 1.15) * np.ones(3)
        if present:
            trees.append(Tree(offset, z, height, width, trunk, lean, crown, tone))
        z += float(rng.uniform(8, 13) if avenue else rng.uniform(5, 12))
    hedges = []
    if not town:
        z = float(rng.uniform(2, 8))
        while z < 50:
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
    half, thick, low = 0.5 * tree.width_m, 0.028 * tree.height_m, 0.85 * tree.trunk_m
    fork = low + 0.35 * (tree.height_m - low)
    left, right, lean = -half + tree.lean_m, half + tree.lean_m, tree.lean_m
    outline = np.array(
        [
            (left, tree.height_m), (right, tree.height_m), (right, low), (left, low),
            (-thick, 0), (lean - 0.6 * thick, fork), (lean + 0.6 * thick, fork), (thick, 0),
            (0.3 * thick, 0), (lean + 0.2 * thick, fork), (lean + 0.6 * thick, fork), (thick, 0),
        ]
    )  # fmt: skip
    points = np.broadcast_to(foot, (12, 3)).copy()
    points[:, :2] += outline
    pixels = camera.project(points)
    if pixels[:4, 0].max() < 0 or pixels[:4, 0].min() > canvas.width:
        return
    bark = light.shade(_BARK, (-0.7 if tree.offset > 0 else 0.7, 0.2, -0.7), tree.distance)
    canvas.draw_parts(pixels[4:], (4, 4), np.stack([bark, bark * 0.72]), TREE)
    canvas.paste(tree.crown.whole, pixels[:4], tint_of(light, _UP, tree.distance, tree.tone), TREE)


def paint_hedge(canvas: Canvas, camera: Camera, light: Light, street: Street, hedge: Hedge) -> None:
    """Paint a hedge: the end that faces the camera, its top and its face along the street."""
    near, far = street.world(hedge.offset, np.array([hedge.near, hedge.far]))
    up, back = np.array([0.0, hedge.height_m, 0.0]), np.array([hedge.side * 0.9, 0.0, 0.0])
    corners = camera.project(np.array([near, near + up, near + up + back, near + back, far, far + up, far + up + back]))
    if corners[:, 0].max() < 0 or corners[:, 0].min() > canvas.width:
        return
    middle, tone = 0.5 * (hedge.near + hedge.far), hedge.tone
    canvas.fill(corners[[1, 5, 6, 2]], light.shade(_HEDGE_TOP * tone, _UP, middle), TREE)
    canvas.paste(hedge.crown.patch, corners[[1, 2, 3, 0]], tint_of(light, _UP, hedge.near, tone * 0.62), TREE)
    canvas.paste(hedge.crown.patch, corners[[1, 5, 4, 0]], tint_of(light, _UP, middle, tone * 0.78), TREE)
