# SPDX-License-Identifier: Apache-2.0
"""The ground: a curving street with kerbs, pavements, lane marks, patches and shadows, and grass beside it."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from export.data.synthetic.canvas import (
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

    def world(self, offset: Floats | float, distance: Floats | float, height: float = 0.0) -> Floats:
        """World points, ``(..., 3)``, of offsets along the street."""
        x = offset + self.heading * distance + (0.5 * self.curvature) * distance * distance
        points = np.empty((*np.shape(x), 3))
        points[..., 0] = x
        points[..., 1] = height
        points[..., 2] = distance
        return points

    def strips(self, left: Floats, right: Floats, near: float, far: float, height: float = 0.0) -> Floats:
        """Outlines, ``(P, N, 3)`` world points, of P bands of the ground that follow the street."""
        steps = 2 + int(5 * math.log(far / near))
        z = near * np.exp(np.arange(steps) * (math.log(far / near) / (steps - 1)))
        sides = (self.world(left[:, None], z, height), self.world(right[:, None], z[::-1], height))
        return np.concatenate(sides, axis=1)

    def strip(self, left: float, right: float, near: float, far: float, height: float = 0.0) -> Floats:
        """Outline, ``(N, 3)`` world points, of one such band."""
        outline: Floats = self.strips(np.array([left]), np.array([right]), near, far, height)[0]
        return outline


def draw_street(rng: np.random.Generator) -> Street:
    """Draw a street of two to four lanes, driven on the right, sometimes with a parking strip."""
    lane = rng.uniform(3.0, 3.5)
    shift = rng.uniform(-0.35, 0.35)
    oncoming = 1 + int(rng.random() < 0.25)
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
        shadows: outlines, ``(N, 3)`` world points on the ground, of what stands between sun and ground.
    """
    first_row = int(np.floor(camera.horizon_v)) + 1
    fine, coarse = _ground_noise(rng, canvas, camera, first_row)
    grass = rgb(rng.uniform(88, 122), rng.uniform(116, 140), rng.uniform(52, 70))
    canvas.frame[first_row * SUPERSAMPLING :] = np.minimum(grass * light.brightness(_UP), 255)
    canvas.label[first_row * SUPERSAMPLING :] = TREE
    canvas.modulate(first_row, _to_gain(fine * np.float32(0.75) + coarse * np.float32(0.35)))

    asphalt = rgb(rng.uniform(96, 138)) + rgb(*rng.uniform(-5, 5, 3))
    _paint_surface(rng, canvas, camera, light, street, asphalt)
    _paint_marks(rng, canvas, camera, light, street, asphalt)
    rows = np.arange(len(fine)) + first_row + 0.5
    distance = np.minimum(camera.focal_px * camera.height_m / (rows - camera.horizon_v), FAR_M)
    clear = np.exp(-distance / light.haze_distance_m).astype(np.float32)[:, None]
    grain = 1 + fine * np.float32(0.22) + coarse * np.float32(0.13)
    gain = grain * _shadow_gain(canvas, camera, light, shadows, first_row) * clear - 1
    canvas.modulate(first_row, _to_gain(gain), np.rint((1 - clear) * light.haze_colour).astype(np.uint8))


def _paint_surface(
    rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, street: Street, asphalt: Floats
) -> None:
    """Pavements, kerbs, the carriageway, its wheel tracks and its patches."""
    lit = light.brightness(_UP)
    slab = rgb(rng.uniform(146, 186)) + rgb(*rng.uniform(-8, 10, 3))
    kerbstone = slab * 0.4 + rgb(112)
    joints = np.arange(2.0, 32.0, (0.9, 1.2)[int(rng.integers(2))])
    road = camera.project(street.strip(street.left_kerb, street.right_kerb, _NEAR_M, FAR_M))
    canvas.fill(road, asphalt * lit, ROAD)
    kerbs = np.array([street.left_kerb, street.right_kerb])
    frontages = np.array([street.left_frontage, street.right_frontage])
    outward = np.array([-1.0, 1.0])
    canvas.fill(camera.project(street.strips(kerbs, frontages, _NEAR_M, FAR_M, KERB_M)), slab * lit, PAVEMENT)
    lines = (kerbs + np.array([[0.33], [0.67]]) * (frontages - kerbs)).ravel()
    canvas.fill(camera.project(street.strips(lines - 0.015, lines + 0.015, _NEAR_M, 30, KERB_M)), slab * lit * 0.85)
    for kerb, frontage in zip(kerbs, frontages, strict=True):
        corners = ((kerb, 0.0), (frontage, 0.0), (frontage, 0.03), (kerb, 0.03))
        seams = np.stack([street.world(x, joints + dz, KERB_M) for x, dz in corners], axis=1)
        canvas.fill(camera.project(seams), slab * lit * 0.84)
    stones = street.strips(kerbs, kerbs + outward * 0.16, _NEAR_M, FAR_M, KERB_M)
    canvas.fill(camera.project(stones), kerbstone * lit)
    faces = street.strips(kerbs, kerbs, _NEAR_M, FAR_M, KERB_M)
    faces[:, faces.shape[1] // 2 :, 1] = 0.0
    for face, side in zip(camera.project(faces), outward.tolist(), strict=True):
        canvas.fill(face, kerbstone * light.brightness((-side, 0, 0)) * 0.8, PAVEMENT)
    gutters = street.strips(kerbs, kerbs - outward * 0.28, _NEAR_M, FAR_M)
    canvas.fill(camera.project(gutters), asphalt * lit * 0.86)
    edges = np.array(street.lane_edges)
    tracks = (edges[:-1] + np.array([[0.2], [0.66]]) * np.diff(edges)).ravel()
    canvas.fill(camera.project(street.strips(tracks, tracks + 0.4, _NEAR_M, FAR_M)), asphalt * lit * 0.95)
    for _ in range(int(rng.integers(0, 4))):
        x, near = rng.uniform(street.left_kerb + 0.3, street.right_kerb - 2.2), rng.uniform(4, 28)
        patch = street.strip(x, x + rng.uniform(0.7, 1.8), near, near + rng.uniform(1.5, 9))
        canvas.fill(camera.project(patch), asphalt * lit * rng.uniform(0.82, 0.92))
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    cover = street.world(rng.uniform(-1.2, 1.2) + 0.34 * np.cos(angle), rng.uniform(6, 20) + 0.34 * np.sin(angle))
    if rng.random() < 0.5:
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
    dash, gap = ((2.0, 4.0), (3.0, 6.0), (3.0, 3.0))[int(rng.integers(3))]
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


def _ground_noise(rng: np.random.Generator, canvas: Canvas, camera: Camera, first_row: int) -> tuple[Floats, Floats]:
    """Grain and blotches of the ground in perspective: two ``(rows, W)`` float32 images in [-1, 1].

    The grain fades with distance, where it would only flicker.
    """
    tile = rng.integers(0, 256, (256, 256), dtype=np.uint8)
    size = (canvas.width, canvas.height - first_row)
    layers = []
    for across, along in ((38.0, 24.0), (1.7, 0.8)):
        to_tile = np.array(
            [
                [camera.height_m * across, 0, -camera.centre_u * camera.height_m * across],
                [0, 0, camera.focal_px * camera.height_m * along],
                [0, 1, first_row + 0.5 - camera.horizon_v],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        noise = cv2.warpPerspective(tile, to_tile, size, flags=flags, borderMode=cv2.BORDER_WRAP)
        layers.append(noise * np.float32(1 / 128) - np.float32(1))
    fade = np.linspace(0.0, 1.0, size[1], dtype=np.float32)[:, None] ** 0.5
    return layers[0] * fade, layers[1]


def _to_gain(relative: Floats) -> Bytes:
    """Relative change, -1 to 1, as a gain for :meth:`Canvas.modulate`."""
    gain: Bytes = cv2.convertScaleAbs(np.maximum(relative, -1), alpha=128, beta=128)
    return gain


def _shadow_gain(canvas: Canvas, camera: Camera, light: Light, shadows: list[Floats], first_row: int) -> Floats:
    """Factor in (0, 1] for every ground pixel, ``(rows, W)`` float32."""
    mask = np.zeros(canvas.label.shape, dtype=np.uint8)
    pixels = fixed_point(camera.project(np.concatenate(shadows)))
    for outline in np.split(pixels, np.cumsum([len(shadow) for shadow in shadows])[:-1]):
        cv2.fillPoly(mask, [outline], [255], cv2.LINE_8, 4)
    small = cv2.resize(
        mask[first_row * SUPERSAMPLING :], (canvas.width, canvas.height - first_row), interpolation=cv2.INTER_AREA
    )
    reach = 2 * max(1, canvas.height // 192) + 1
    soft = cv2.blur(small, (2 * reach - 1, reach))
    sunlit = light.direct * float(light.sun[1])
    shade: Floats = 1 - soft * np.float32(0.85 * sunlit / (light.ambient + sunlit) / 255)
    return shade
