# SPDX-License-Identifier: Apache-2.0
"""What a scene is drawn on: a pinhole camera, the light of the day, and a frame with its label map.

World coordinates are metres: X to the right, Y up from the road surface, Z forward from the camera.
Frame and label are drawn at ``SUPERSAMPLING`` times the target size with the same integer polygons; the frame is then
shrunk by area (antialiased), the label by picking pixels (never mixed).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]

SUPERSAMPLING = 2
VOID = 255
CLASSES = ("sky", "building", "tree", "road", "lane mark", "pavement", "car", "person")
PALETTE: tuple[tuple[int, int, int], ...] = (
    (120, 170, 230),
    (150, 90, 80),
    (70, 140, 50),
    (110, 90, 130),
    (245, 240, 200),
    (225, 150, 205),
    (40, 70, 190),
    (230, 50, 50),
)
"""RGB of each class, for pictures; void is drawn black."""

SKY, BUILDING, TREE, ROAD, LANE_MARK, PAVEMENT, CAR, PERSON = range(len(CLASSES))

_SUBPIXEL_BITS = 4
_COORDINATE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Camera:
    """Pinhole camera that looks along Z; focal length and principal point are pixels of the target size."""

    height_m: float
    focal_px: float
    centre_u: float
    horizon_v: float

    def project(self, points: Floats) -> Floats:
        """Map ``(..., 3)`` world points in front of the camera to ``(..., 2)`` pixel positions ``(u, v)``."""
        scale = self.focal_px / points[..., 2]
        u = self.centre_u + points[..., 0] * scale
        v = self.horizon_v - (points[..., 1] - self.height_m) * scale
        return np.stack([u, v], axis=-1)

    def pixels_per_metre(self, distance_m: float) -> float:
        """How many target pixels one metre covers at a distance."""
        return self.focal_px / distance_m


@dataclass(frozen=True)
class Light:
    """Sun, sky light and haze of one scene; colours are RGB in [0, 255]."""

    sun: Floats
    """``(3,)`` unit vector towards the sun."""
    direct: float
    ambient: float
    haze_colour: Floats
    haze_distance_m: float

    def brightness(self, normal: tuple[float, float, float]) -> float:
        """Factor by which a matt surface of this normal scales its own colour."""
        return self.ambient + self.direct * max(0.0, float(self.sun @ np.asarray(normal)))

    def haze(self, distance_m: float) -> float:
        """Share of haze, in [0, 1), between the camera and a distance."""
        return float(1.0 - np.exp(-distance_m / self.haze_distance_m))

    def shade(self, albedo: Floats, normal: tuple[float, float, float], distance_m: float) -> Floats:
        """Colour, ``(3,)`` in [0, 255], at which a matt surface reaches the camera."""
        return self.veil(albedo * self.brightness(normal), distance_m)

    def veil(self, colour: Floats, distance_m: float) -> Floats:
        """Mix haze into a colour that is already lit."""
        share = self.haze(distance_m)
        return np.clip(colour * (1.0 - share) + self.haze_colour * share, 0, 255)


def rgb(*channels: float) -> Floats:
    """Colour as a ``(3,)`` float array; one number makes a grey."""
    return np.array(channels if len(channels) == 3 else channels * 3, dtype=np.float64)


class Canvas:
    """Frame and label under construction, both ``SUPERSAMPLING`` times the target size."""

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.frame: Bytes = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 3), dtype=np.uint8)
        self.label: Bytes = np.full(self.frame.shape[:2], VOID, dtype=np.uint8)

    def fill(self, polygons: Floats, colour: Floats | None, label: int | None = None) -> None:
        """Fill polygons, ``(N, 2)`` or ``(P, N, 2)`` target pixels; ``None`` leaves that image as it is.

        A batch of polygons must not overlap each other: shared area would be left out.
        """
        corners = list(fixed_point(polygons if polygons.ndim == 3 else polygons[None]))
        if colour is not None:
            cv2.fillPoly(self.frame, corners, colour.tolist(), cv2.LINE_8, _SUBPIXEL_BITS)
        if label is not None:
            cv2.fillPoly(self.label, corners, [label], cv2.LINE_8, _SUBPIXEL_BITS)

    def stroke(self, points: Floats, width_px: float, colour: Floats, label: int) -> None:
        """Draw an open line with round ends through ``(N, 2)`` target pixels, ``width_px`` target pixels wide."""
        thickness = max(1, round(width_px * SUPERSAMPLING))
        for image, value in ((self.frame, colour.tolist()), (self.label, [label])):
            cv2.polylines(image, [fixed_point(points)], False, value, thickness, cv2.LINE_8, _SUBPIXEL_BITS)

    def disc(self, centre: Floats, radius_px: float, colour: Floats, label: int | None) -> None:
        """Fill a circle around ``(2,)`` target pixels."""
        u, v = fixed_point(centre).tolist()
        radius = max(1, round(radius_px * SUPERSAMPLING * (1 << _SUBPIXEL_BITS)))
        cv2.circle(self.frame, (u, v), radius, colour.tolist(), -1, cv2.LINE_8, _SUBPIXEL_BITS)
        if label is not None:
            cv2.circle(self.label, (u, v), radius, [label], -1, cv2.LINE_8, _SUBPIXEL_BITS)

    def paste(self, texture: Bytes, quad: Floats, tint: Floats, label: int, alpha: Bytes | None = None) -> None:
        """Warp a texture onto a quad.

        Args:
            texture: ``(h, w, 3)`` uint8.
            quad: ``(4, 2)`` target pixels: where the texture's top left, top right, bottom right and bottom left go.
            tint: ``(3, 4)`` affine colour map (light and haze) applied to every texel.
            label: class of what is pasted.
            alpha: ``(h, w)`` uint8 cut-out, pasted where above 127; everything when ``None``.
        """
        corners = quad * SUPERSAMPLING - 0.5
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, self.label.shape[::-1])
        if (low >= high).any():
            return
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        texture, alpha = _shrink_to(texture, alpha, corners)
        rows, columns = texture.shape[:2]
        source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32) - np.float32(0.5)
        warp = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
        image = cv2.warpPerspective(
            cv2.transform(texture, tint), warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if alpha is None:
            mask = np.zeros(size[::-1], dtype=np.uint8)
            cv2.fillPoly(mask, [fixed_point(quad, low)], [255], cv2.LINE_8, _SUBPIXEL_BITS)
        else:
            soft = cv2.warpPerspective(alpha, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            mask = cv2.threshold(soft, 127, 255, cv2.THRESH_BINARY)[1]
        region = np.s_[low[1] : high[1], low[0] : high[0]]
        cv2.copyTo(image, mask, self.frame[region])
        cv2.copyTo(np.full(size[::-1], label, dtype=np.uint8), mask, self.label[region])

    def modulate(self, first_row: int, gain: Bytes) -> None:
        """Scale the frame from a supersampled row downwards by ``gain / 128``, ``(rows, columns)`` uint8."""
        below = self.frame[first_row:]
        cv2.multiply(below, cv2.cvtColor(gain, cv2.COLOR_GRAY2RGB), below, scale=1 / 128)

    def finish(self) -> tuple[Bytes, Bytes]:
        """Shrink to the target size: ``(H, W, 3)`` uint8 frame and ``(H, W)`` uint8 label."""
        frame: Bytes = cv2.resize(self.frame, (self.width, self.height), interpolation=cv2.INTER_AREA)
        half = SUPERSAMPLING // 2
        return frame, self.label[half::SUPERSAMPLING, half::SUPERSAMPLING].copy()


def fixed_point(points: Floats, origin: NDArray[np.int_] | int = 0) -> NDArray[np.int32]:
    """Target pixels to OpenCV's fixed-point supersampled pixels, where whole numbers are pixel centres."""
    scaled = (points * SUPERSAMPLING - 0.5 - origin) * (1 << _SUBPIXEL_BITS)
    clipped: NDArray[np.int32] = np.clip(np.rint(scaled), -_COORDINATE_LIMIT, _COORDINATE_LIMIT).astype(np.int32)
    return clipped


def tint_of(light: Light, normal: tuple[float, float, float], distance_m: float, colour: Floats | None = None) -> Floats:
    """``(3, 4)`` colour map for :meth:`Canvas.paste`: light and haze, optionally scaled by a colour in [0, 1]."""
    share = light.haze(distance_m)
    scale = light.brightness(normal) * (1.0 - share)
    diagonal = np.diag(np.full(3, scale) if colour is None else colour * scale)
    return np.concatenate([diagonal, share * light.haze_colour[:, None]], axis=1)


def _shrink_to(texture: Bytes, alpha: Bytes | None, corners: Floats) -> tuple[Bytes, Bytes | None]:
    """Shrink a texture to about the size it is shown at, so that warping does not alias."""
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).tolist()
    rows, columns = texture.shape[:2]
    size = (min(columns, int(max(top, bottom)) + 2), min(rows, int(max(left, right)) + 2))
    if size == (columns, rows):
        return texture, alpha
    texture = cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
    return texture, None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
