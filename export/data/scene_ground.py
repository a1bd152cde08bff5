# SPDX-License-Identifier: Apache-2.0
"""The ground: a curving street with kerbs, pavements, lane marks, patches and shadows, and grass beside it."""

from dataclasses import dataclass

import cv2
import numpy as np

from export.data.scene_canvas import (
    LANE_MARK,
    PAVEMENT,
    ROAD,
    SUPERSAMPLING,
    TREE,
    Bytes,
    Camera,
    Canvas,
    Floats,
    Light,
    fixed_point,
    rgb,
)

FAR_M = 150.0
KERB_M = 0.13
_NEAR_M = 1.0
_UP = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Street:
    """Course and cross-section of the street; offsets are metres to the right of the camera's path."""

    curvature: float
    heading: float
    lane_edges: tuple[float, ...]
    """Left kerb, the borders between lanes, right edge of the camera's lane or of the lane right of it."""
    middle: int
    """Which of ``lane_edges`` parts the two directions."""
    left_kerb: float
    right_kerb: float
    left_frontage: float
    """Where the left pavement ends."""
    right_frontage: float

    def world(self, offset: Floats | float, distance: Floats | float, height: Floats | float = 0.0) -> Floats:
        """World points, ``(..., 3)``, of offsets along the street."""
        z = np.asarray(distance, dtype=np.float64)
        x = np.asarray(offset) + self.heading * z + 0.5 * self.curvature * z * z
        x, y, z = np.broadcast_arrays(x, np.asarray(height, dtype=np.float64), z)
        return np.stack([x, y, z], axis=-1)

    def strip(self, left: float, right: float, near: float, far: float, height: float = 0.0) -> Floats:
        """Outline, ``(N, 3)`` world points, of a band of the ground that follows the street."""
        z = np.geomspace(near, far, 2 + int(10 * np.log(far / near)))
        return np.concatenate([self.world(left, z, height), self.world(right, z[::-1], height)])


def draw_street(rng: np.random.Generator) -> Street:
    """Draw a street of two to four lanes, driven on the right, sometimes with a parking strip."""
    lane = rng.uniform(3.0, 3.5)
    shift = rng.uniform(-0.35, 0.35)
    oncoming = int(rng.choice([1, 2], p=[0.75, 0.25]))
    beside = int(rng.random() < 0.22)
    edges = tuple(float(shift + lane * (k - 0.5 - oncoming)) for k in range(oncoming + beside + 2))
    parking_left, parking_right = rng.random(2) < (0.5, 0.6)
    left_kerb = edges[0] - (2.1 if parking_left else 0.15)
    right_kerb = edges[-1] + (2.1 if parking_right else 0.15)
    bend = rng.random() < 0.6
    return Street(
        curvature=float(rng.normal(0, 1 / 420)) if bend else 0.0,
        heading=float(rng.normal(0, 0.02)),
        lane_edges=edges,
        middle=oncoming,
        left_kerb=left_kerb,
        right_kerb=right_kerb,
        left_frontage=left_kerb - rng.uniform(1.8, 3.6),
        right_frontage=right_kerb + rng.uniform(1.8, 3.6),
    )


def paint_ground(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, street: Street, shadows: list[Floats]
) -> None:
    """Paint everything that lies flat; grass and verges count as ``tree``, as in CamVid's vegetation.

    Args:
        shadows: outlines, ``(N, 3)`` world points on the ground, of what stands in the sun's way.
    """
    first_row = int(np.floor(camera.horizon_v * SUPERSAMPLING)) + 1
    fine, coarse = _ground_noise(rng, canvas, camera, first_row)
    grass = rgb(rng.uniform(78, 112), rng.uniform(108, 132), rng.uniform(48, 66))
    canvas.frame[first_row:] = np.clip(grass * light.brightness(_UP), 0, 255)
    canvas.label[first_row:] = TREE
    canvas.modulate(first_row, _gain(fine, coarse, 0.75))

    asphalt = rgb(rng.uniform(84, 128)) + rgb(*rng.uniform(-5, 5, 3))
    _paint_surface(rng, canvas, camera, light, street, asphalt)
    _paint_marks(rng, canvas, camera, light, street, asphalt)
    gain = _gain(fine, coarse, 0.22).astype(np.float32) * _shadow_gain(canvas, camera, light, shadows, first_row)
    canvas.modulate(first_row, np.rint(gain).astype(np.uint8))
    _veil_rows(canvas, camera, light, first_row)


def _paint_surface(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, street: Street, asphalt: Floats
) -> None:
    """Pavements, kerbs, the carriageway, its wheel tracks and its patches."""
    lit = light.brightness(_UP)
    slab = rgb(rng.uniform(142, 182)) + rgb(*rng.uniform(-8, 10, 3))
    kerbstone = slab * 0.4 + rgb(112)
    z = np.geomspace(_NEAR_M, FAR_M, 50)
    joints = np.arange(2.0, 32.0, rng.choice([0.9, 1.2]))
    road = camera.project(street.strip(street.left_kerb, street.right_kerb, _NEAR_M, FAR_M))
    canvas.fill(road, asphalt * lit, ROAD)
    for kerb, frontage in ((street.left_kerb, street.left_frontage), (street.right_kerb, street.right_frontage)):
        outward = np.sign(frontage - kerb)
        walk = street.strip(kerb, frontage, _NEAR_M, FAR_M, KERB_M)
        canvas.fill(camera.project(walk), slab * lit, PAVEMENT)
        for across in np.linspace(kerb, frontage, 4)[1:]:
            line = street.strip(across - 0.015, across + 0.015, _NEAR_M, 30, KERB_M)
            canvas.fill(camera.project(line), slab * lit * 0.86)
        seams = np.stack([street.world(x, joints + dz, KERB_M) for x, dz in
                          ((kerb, 0), (frontage, 0), (frontage, 0.03), (kerb, 0.03))], axis=1)  # fmt: skip
        canvas.fill(camera.project(seams), slab * lit * 0.84)
        stone = street.strip(kerb, kerb + outward * 0.16, _NEAR_M, FAR_M, KERB_M)
        canvas.fill(camera.project(stone), kerbstone * lit)
        face = np.concatenate([street.world(kerb, z, KERB_M), street.world(kerb, z[::-1], 0.0)])
        canvas.fill(camera.project(face), kerbstone * light.brightness((-outward, 0, 0)) * 0.8, PAVEMENT)
        gutter = street.strip(kerb, kerb - outward * 0.28, _NEAR_M, FAR_M)
        canvas.fill(camera.project(gutter), asphalt * lit * 0.86)
    for left, right in zip(street.lane_edges, street.lane_edges[1:], strict=False):
        for track in (0.22, 0.66):
            x = left + track * (right - left)
            canvas.fill(camera.project(street.strip(x, x + 0.4, _NEAR_M, FAR_M)), asphalt * lit * 0.95)
    for _ in range(int(rng.integers(0, 4))):
        x, near = rng.uniform(street.left_kerb + 0.3, street.right_kerb - 2.2), rng.uniform(4, 28)
        patch = street.strip(x, x + rng.uniform(0.7, 1.8), near, near + rng.uniform(1.5, 9))
        canvas.fill(camera.project(patch), asphalt * lit * rng.uniform(0.82, 0.92))
    if rng.random() < 0.5:
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        x, z0 = rng.uniform(-1.2, 1.2), rng.uniform(7, 20)
        cover = street.world(x + 0.34 * np.cos(angle), z0 + 0.34 * np.sin(angle))
        canvas.fill(camera.project(cover), asphalt * lit * 0.68)


def _paint_marks(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, street: Street, asphalt: Floats
) -> None:
    """Lane marks: dashed between lanes, dashed or solid in the middle, edge lines, a crossing now and then."""
    paint = rgb(232, 231, 224) if rng.random() < 0.9 else rgb(226, 186, 70)
    wear = rng.uniform(0.0, 0.3)
    white = (rgb(232, 231, 224) * (1 - wear) + asphalt * wear) * light.brightness(_UP)
    middle = (paint * (1 - wear) + asphalt * wear) * light.brightness(_UP)
    half = rng.uniform(0.06, 0.09)
    solid_middle, edge_lines = rng.random(2) < (0.35, 0.55)
    dash, gap = rng.choice(np.array([[2.0, 4.0], [3.0, 6.0], [3.0, 3.0]]))
    starts = np.arange(_NEAR_M + rng.uniform(0, dash + gap), 110, dash + gap)
    last = len(street.lane_edges) - 1
    for index, x in enumerate(street.lane_edges):
        if index in (0, last):
            if edge_lines:
                canvas.fill(camera.project(street.strip(x - half, x + half, _NEAR_M, 110)), white, LANE_MARK)
        elif index == street.middle and solid_middle:
            for centre in (x - 0.13, x + 0.13):
                line = street.strip(centre - 0.06, centre + 0.06, _NEAR_M, 110)
                canvas.fill(camera.project(line), middle, LANE_MARK)
        else:
            corners = ((x - half, 0.0), (x - half, dash), (x + half, dash), (x + half, 0.0))
            dashes = np.stack([street.world(side, starts + ahead) for side, ahead in corners], axis=1)
            canvas.fill(camera.project(dashes), middle if index == street.middle else white, LANE_MARK)
    if rng.random() < 0.25:
        near = rng.uniform(9, 24)
        bars = np.arange(street.left_kerb + 0.4, street.right_kerb - 0.7, 1.0)
        corners = ((0.0, 0.0), (0.0, 3.2), (0.5, 3.2), (0.5, 0.0))
        zebra = np.stack([street.world(bars + across, near + ahead) for across, ahead in corners], axis=1)
        canvas.fill(camera.project(zebra), white, LANE_MARK)


def _ground_noise(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, first_row: int
) -> tuple[Bytes, Bytes]:
    """Grain and blotches of the ground, in perspective: two ``(rows, columns)`` uint8 images around 128."""
    tile = rng.integers(0, 256, (256, 256), dtype=np.uint8)
    size = (canvas.frame.shape[1], canvas.frame.shape[0] - first_row)
    layers = []
    for across, along in ((38.0, 24.0), (1.7, 0.8)):
        focal, u, v = (x * SUPERSAMPLING for x in (camera.focal_px, camera.centre_u, camera.horizon_v))
        to_tile = np.array(
            [
                [camera.height_m * across, 0, -u * camera.height_m * across],
                [0, 0, focal * camera.height_m * along],
                [0, 1, first_row + 0.5 - v],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        layers.append(cv2.warpPerspective(tile, to_tile, size, flags=flags, borderMode=cv2.BORDER_WRAP))
    return layers[0], layers[1]


def _gain(fine: Bytes, coarse: Bytes, strength: float) -> Bytes:
    """Turn noise into gains around 128; grain fades with distance, where it would only flicker."""
    rows = len(fine)
    fade = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None] ** 0.5
    grain = (fine.astype(np.float32) - 128) * (strength * fade)
    gain: Bytes = np.clip(128 + grain + (coarse.astype(np.float32) - 128) * (0.45 * strength), 0, 255).astype(np.uint8)
    return gain


def _shadow_gain(canvas: Canvas, camera: Camera, light: Light, shadows: list[Floats], first_row: int) -> Floats:
    """Factor in (0, 1] for every ground pixel, ``(rows, columns)`` float32."""
    mask = np.zeros(canvas.label.shape, dtype=np.uint8)
    for outline in shadows:
        cv2.fillPoly(mask, [fixed_point(camera.project(outline))], [255], cv2.LINE_8, 4)
    reach = 2 * max(1, canvas.height // 96) + 1
    soft = cv2.blur(mask[first_row:], (2 * reach + 1, reach)).astype(np.float32)
    sunlit = light.direct * float(light.sun[1])
    shade: Floats = 1 - soft * np.float32(0.9 * sunlit / (light.ambient + sunlit) / 255)
    return shade


def _veil_rows(canvas: Canvas, camera: Camera, light: Light, first_row: int) -> None:
    """Haze over the ground, row by row."""
    below = canvas.frame[first_row:]
    rows = np.arange(len(below)) + first_row + 1.0
    distance = camera.focal_px * SUPERSAMPLING * camera.height_m / (rows - camera.horizon_v * SUPERSAMPLING)
    share = 1 - np.exp(-distance / light.haze_distance_m)
    hazy = rows[share > 0.02].size
    weight = share[:hazy, None, None].astype(np.float32)
    below[:hazy] = below[:hazy] * (1 - weight) + light.haze_colour.astype(np.float32) * weight
