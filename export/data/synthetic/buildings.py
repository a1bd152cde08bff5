# SPDX-License-Identifier: Apache-2.0
"""Rows of buildings along the street: textured facades, end walls, roofs and chimneys, painted back to front."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from export.data.synthetic.canvas import BUILDING, Bytes, Camera, Canvas, Floats, Light, Texture, halvings, rgb, tint_of
from export.data.synthetic.ground import Street

_CELL = 40
"""Texels along one window bay and one storey; halved ``_LEVELS - 1`` times."""
_LEVELS = 4
_FLOORS, _BAYS = 7, 8
_STYLES = 40
"""How many facades there are."""

_ROOFS = ((122, 82, 68), (94, 90, 92), (132, 98, 76), (80, 78, 84))
_PANE, _CHIMNEY = rgb(66, 74, 84), rgb(134, 88, 72)
_FINE_DETAIL_M = 50.0
"""Beyond this distance end walls have no windows and roofs no chimneys."""
_WALLS = (
    (168, 104, 82),
    (150, 92, 76),
    (204, 186, 152),
    (222, 214, 198),
    (186, 178, 168),
    (196, 160, 128),
    (158, 162, 164),
    (214, 196, 176),
    (176, 130, 104),
)


@dataclass(frozen=True)
class Facade:
    """``_FLOORS`` storeys of ``_BAYS`` bays, the ground floor lowest, at several sizes."""

    levels: tuple[Bytes, ...]
    wall: Floats

    def cut(self, floors: int, first_bay: int, bays: int, *, mirrored: bool) -> Texture:
        """The lowest floors of a few bays."""
        pieces = []
        for index, level in enumerate(self.levels):
            cell = _CELL >> index
            piece = level[-floors * cell :, first_bay * cell : (first_bay + bays) * cell]
            pieces.append(piece[:, ::-1] if mirrored else piece)
        return Texture(tuple(pieces))


@dataclass(frozen=True)
class Building:
    """A block along one side of the street; ``side`` is -1 for left and +1 for right."""

    side: int
    offset: float
    near: float
    far: float
    floors: int
    storey_m: float
    depth_m: float
    gable: bool
    roof: Floats
    facade: Facade
    first_bay: int

    @property
    def eaves(self) -> float:
        """Height of the facade, metres."""
        return self.floors * self.storey_m

    def shadow(self, street: Street, light: Light) -> Floats:
        """Outline of the shadow on the ground, ``(6, 3)`` world points, in front of the camera."""
        top = self.eaves + (2.0 if self.gable else 0.0)
        cast = -light.sun * top / light.sun[1]
        foot = street.world(self.offset, np.array([self.near, self.far]))
        back = foot + np.array([self.side * self.depth_m, 0.0, 0.0])
        corners = np.concatenate([foot, back, foot + cast, back + cast])
        corners[:, 1] = 0.0
        corners[:, 2] = np.maximum(corners[:, 2], 1.0)
        hull: Floats = cv2.convexHull(corners[:, [0, 2]].astype(np.float32))[:, 0].astype(np.float64)
        return np.stack([hull[:, 0], np.zeros(len(hull)), hull[:, 1]], axis=1)


def draw_facades(rng: np.random.Generator, count: int = 6) -> list[Facade]:
    """Pick the facades of one scene from a fixed set."""
    return [_facade(style) for style in rng.integers(0, _STYLES, count).tolist()]


def draw_row(
    rng: np.random.Generator, facades: list[Facade], street: Street, side: int, density: float
) -> list[Building]:
    """Draw the buildings of one side, near to far.

    Args:
        density: 0 gives scattered houses behind gardens, 1 a closed row of town blocks.
    """
    frontage = street.left_frontage if side < 0 else street.right_frontage
    town = density > 0.55
    setback = 0.0 if town else rng.uniform(2.5, 7.0)
    row = []
    z = float(rng.uniform(1.5, 6.0 if town else 14.0))
    base_floors = int(rng.integers(3, 6)) if town else 2
    while z < 125:
        length = float(rng.uniform(9, 22) if town else rng.uniform(8, 13))
        floors = int(np.clip(base_floors + rng.integers(-1, 3), 2, _FLOORS)) if town else int(rng.integers(1, 3))
        gable = bool(rng.random() < (0.35 if town else 0.9))
        roof = rgb(*_ROOFS[int(rng.integers(len(_ROOFS)))])
        offset = frontage + side * (setback + rng.uniform(0, 0.5 if town else 2.5))
        facade = facades[int(rng.integers(len(facades)))]
        depth = float(rng.uniform(8, 12))
        storey = float(rng.uniform(2.9, 3.5))
        first_bay = int(rng.integers(0, 3))
        present = rng.random() < 0.25 + 0.9 * density
        gap = float(rng.uniform(0, 0.4) if rng.random() < 0.8 * density else rng.uniform(3, 12))
        if present:
            row.append(Building(side, offset, z, z + length, floors, storey, depth, gable, roof, facade, first_bay))
        z += length + gap
    return row


def paint_building(canvas: Canvas, camera: Camera, light: Light, street: Street, block: Building) -> None:
    """Paint one building: the wall that faces the camera, the roof, then the facade along the street."""
    near, far = street.world(block.offset, np.array([block.near, block.far]))
    up = np.array([0.0, block.eaves, 0.0])
    quad = camera.project(np.array([near + up, far + up, far, near]))
    behind = block.side * (block.depth_m if block.side * near[0] > 0 else 0.0)
    back = camera.project(far + np.array([behind, 0.0, 0.0]))
    reach = (*quad[:, 0].tolist(), float(back[0]))
    if max(reach) < 0 or min(reach) > canvas.width:
        return
    faces = _faces(block, near, far)
    points = np.concatenate([face for face, _, _ in faces])
    colours = light.shade_all(
        np.stack([albedo for _, albedo, _ in faces]), np.array([normal for _, _, normal in faces]), block.near
    )
    counts = [len(face) for face, _, _ in faces]
    canvas.draw_parts(camera.project(points), counts, colours, BUILDING)
    bays = min(max(round((block.far - block.near) / 2.8), 2), _BAYS - 2)
    texture = block.facade.cut(block.floors, block.first_bay, bays, mirrored=block.side < 0)
    tint = tint_of(light, (-block.side, 0.0, 0.0), 0.5 * (block.near + block.far))
    canvas.paste(texture, quad, tint, BUILDING)
    cornice = quad[[0, 1, 1, 0]]
    cornice[2:] += 0.025 * (quad[[2, 3]] - cornice[2:])
    canvas.fill(cornice, light.shade(block.facade.wall * 0.72 + 20, (-block.side, 0.3, 0), block.near))


_Face = tuple[Floats, Floats, tuple[float, float, float]]
"""Corners ``(N, 3)``, albedo ``(3,)``, normal."""


def _faces(block: Building, near: Floats, far: Floats) -> list[_Face]:
    """Make all faces but the facade: the wall across the street's direction, its windows, roof and chimney."""
    side, front = block.side, (0.0, 0.0, -1.0)
    outward, up = np.array([side * block.depth_m, 0.0, 0.0]), np.array([0.0, block.eaves, 0.0])
    ridge = outward / 2 + np.array([0.0, block.eaves + 0.32 * block.depth_m, 0.0])
    wall = [near, near + up, near + ridge, near + outward + up, near + outward]
    if not block.gable:
        del wall[2]
    faces: list[_Face] = [(np.array(wall), block.facade.wall, front)]
    if block.near < _FINE_DETAIL_M:
        across = near[0] + side * block.depth_m * np.array([0.25, 0.25, 0.35, 0.35])
        for floor in range(block.floors):
            rise = (floor + 0.32) * block.storey_m + np.array([0.0, 1.4, 1.4, 0.0])
            pane = np.stack([across, rise, np.full(4, block.near)], axis=1)
            shift = np.array([side * block.depth_m * 0.4, 0.0, 0.0])
            faces += [(pane, _PANE, front), (pane + shift, _PANE, front)]
    if block.gable:
        overhang = np.array([-side * 0.3, -0.15, 0.0])
        slope = np.array([near + up + overhang, near + ridge, far + ridge, far + up + overhang])
        faces.append((slope, block.roof, (-side * 0.55, 0.83, 0.0)))
        if block.near < _FINE_DETAIL_M:
            top = near + ridge + 0.3 * (far - near)
            stack = top + np.array([[-0.4, -0.4, 0], [-0.4, 1.3, 0], [0.4, 1.3, 0], [0.4, -0.4, 0]])
            faces.append((stack, _CHIMNEY, front))
    return faces


@cache
def _facade(style: int) -> Facade:
    """Compose a facade from a few cells for windows, doors and shops, with grain and rain streaks."""
    rng = np.random.default_rng(style)
    wall = rgb(*rng.choice(np.array(_WALLS))) * rng.uniform(0.86, 1.06)
    trim = np.clip(wall * 0.35 + rgb(150), 0, 255) if rng.random() < 0.7 else wall * 0.55
    width, height = rng.uniform(0.36, 0.6), rng.uniform(0.46, 0.62)
    mullions = int(rng.integers(1, 3))
    windows = [_window_cell(rng, wall, trim, width, height, mullions) for _ in range(4)]
    shop = rng.random() < 0.55
    ground = [_shop_cell(rng, wall) if shop else _door_cell(rng, wall, trim), *windows[: 1 if shop else 3]]
    upper_pick = rng.integers(0, len(windows), (_FLOORS - 1, _BAYS))
    ground_pick = rng.integers(0, len(ground), (1, _BAYS))
    upper = np.stack(windows)[upper_pick]
    cells = np.concatenate([upper, np.stack(ground)[ground_pick]])
    texture = cells.transpose(0, 2, 1, 3, 4).reshape(_FLOORS * _CELL, _BAYS * _CELL, 3)
    grain = rng.integers(-9, 10, (_FLOORS * _CELL // 2, _BAYS * _CELL // 2), dtype=np.int16)
    streaks = rng.integers(-8, 9, (1, _BAYS * _CELL // 2), dtype=np.int16)
    noise = cv2.resize(grain + streaks, (texture.shape[1], texture.shape[0]), interpolation=cv2.INTER_NEAREST)
    lively: Bytes = np.clip(texture.astype(np.int16) + noise[..., None], 0, 255).astype(np.uint8)
    return Facade(halvings(lively, _LEVELS), wall)


def _blank(wall: Floats) -> Bytes:
    """Bare cell with a faint course between two storeys."""
    cell = np.empty((_CELL, _CELL, 3), dtype=np.uint8)
    cell[:] = np.clip(wall, 0, 255)
    cell[:1] = np.clip(wall * 0.86, 0, 255)
    return cell


def _window_cell(
    rng: np.random.Generator, wall: Floats, trim: Floats, width: float, height: float, mullions: int
) -> Bytes:
    """Window with frame, sill and glass that mirrors the sky, shows a curtain or stays dark."""
    cell = _blank(wall)
    left, right = round(_CELL * (0.5 - width / 2)), round(_CELL * (0.5 + width / 2))
    top = round(_CELL * 0.2)
    bottom = round(_CELL * (0.2 + height))
    glass = rgb(52, 62, 76) * rng.uniform(0.7, 1.5)
    cell[top - 2 : bottom + 2, left - 2 : right + 2] = np.clip(trim, 0, 255)
    ramp = np.linspace(1.45, 0.75, bottom - top)[:, None, None]
    cell[top:bottom, left:right] = np.clip(glass * ramp, 0, 255)
    if rng.random() < 0.4:
        blind = round(rng.uniform(0.2, 0.8) * (bottom - top))
        cell[top : top + blind, left:right] = np.clip(rgb(176, 170, 158) * rng.uniform(0.7, 1.0), 0, 255)
    for bar in np.linspace(left, right, mullions + 2)[1:-1]:
        cell[top:bottom, round(bar)] = np.clip(trim, 0, 255)
    cell[bottom + 2 : bottom + 4, left - 3 : right + 3] = np.clip(wall * 0.62, 0, 255)
    cell[top : top + 1, left:right] = np.clip(glass * 0.5, 0, 255)
    return cell


def _door_cell(rng: np.random.Generator, wall: Floats, trim: Floats) -> Bytes:
    """Front door with a fanlight."""
    cell = _blank(wall)
    colour = rng.uniform(30, 130, 3)
    cell[9:, 11:29] = np.clip(trim, 0, 255)
    cell[11:, 13:27] = np.clip(colour, 0, 255)
    cell[11:16, 13:27] = (58, 66, 78)
    return cell


def _shop_cell(rng: np.random.Generator, wall: Floats) -> Bytes:
    """Shop window under a coloured sign or awning."""
    cell = _blank(wall)
    cell[3:11] = np.clip(rng.uniform(40, 200, 3), 0, 255)
    cell[13:36, 2:38] = (74, 70, 66)
    cell[14:35, 3:37] = np.clip(rgb(58, 62, 66) * rng.uniform(0.8, 1.8), 0, 255)
    cell[26:35, 3:37] = np.clip(rng.uniform(60, 170, 3), 0, 255)
    cell[14:35, 19:21] = (74, 70, 66)
    return cell
