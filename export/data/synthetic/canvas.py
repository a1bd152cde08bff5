# SPDX-License-Identifier: Apache-2.0
"""Pinhole camera, light of the day, and the canvas of frame and label map that a scene is drawn on.

World coordinates are metres: X to the right, Y up from the road surface, Z forward from the camera.
Frame and label are drawn at ``SUPERSAMPLING`` times the target size with the same integer polygons; the frame is then
shrunk by area (antialiased), the label by picking pixels (never mixed).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
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
        pixels = np.empty((*points.shape[:-1], 2))
        pixels[..., 0] = self.centre_u + points[..., 0] * scale
        pixels[..., 1] = self.horizon_v - (points[..., 1] - self.height_m) * scale
        return pixels

    def pixels_per_metre(self, distance_m: float) -> float:
        """Number of target pixels that one metre covers at a distance."""
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
        towards = float(np.dot(self.sun, normal))
        return self.ambient + self.direct * max(0.0, towards)

    def haze(self, distance_m: float) -> float:
        """Share of haze, in [0, 1), between the camera and a distance."""
        return 1.0 - math.exp(-distance_m / self.haze_distance_m)

    def shade(self, albedo: Floats, normal: tuple[float, float, float], distance_m: float) -> Floats:
        """Colour, ``(3,)`` in [0, 255], at which a matt surface reaches the camera."""
        share = self.haze(distance_m)
        lit: Floats = albedo * (self.brightness(normal) * (1.0 - share)) + self.haze_colour * share
        return np.minimum(lit, 255)

    def shade_all(self, albedo: Floats, normals: Floats, distance_m: float, glow: Floats | float = 0.0) -> Floats:
        """Shade many surfaces at one distance.

        Args:
            albedo: ``(P, 3)`` colours.
            normals: ``(P, 3)`` unit vectors, or ``(1, 3)`` for all.
            distance_m: distance from the camera.
            glow: share, 0 to 1, by which a surface shines by itself.

        Returns:
            ``(P, 3)`` colours in [0, 255].
        """
        share = self.haze(distance_m)
        brightness = self.ambient + self.direct * np.maximum(normals @ self.sun, 0.0)
        brightness = brightness * (1.0 - glow) + glow
        lit: Floats = albedo * (brightness * (1.0 - share))[:, None] + self.haze_colour * share
        return np.minimum(lit, 255)


@dataclass(frozen=True)
class Texture:
    """Image at several sizes, each half of the one before, so that warping it into the distance does not alias."""

    levels: tuple[Bytes, ...]
    """``(h, w, 3)`` uint8 each, or ``(h, w, 4)`` with a cut-out, for quads that are parallelograms."""

    def level(self, width: float, height: float) -> Bytes:
        """The image that suits a size on screen, in supersampled pixels."""
        rows, columns = self.levels[0].shape[:2]
        excess = math.sqrt(rows * columns / max(1.0, width * height))
        return self.levels[min(int(math.log2(max(1.0, excess))), len(self.levels) - 1)]


def halvings(image: Bytes, count: int) -> tuple[Bytes, ...]:
    """The image and ``count - 1`` versions of it, each half as large as the one before."""
    levels = [image]
    for _ in range(count - 1):
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return tuple(levels)


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

    def fill(self, polygons: Floats, colour: Floats, label: int | None = None) -> None:
        """Fill polygons, ``(N, 2)`` or ``(P, N, 2)`` target pixels; without a label the class below stays.

        A batch of polygons must not overlap each other: shared area would be left out.
        """
        corners = list(fixed_point(polygons if polygons.ndim == 3 else polygons[None]))
        cv2.fillPoly(self.frame, corners, colour.tolist(), cv2.LINE_8, _SUBPIXEL_BITS)
        if label is not None:
            cv2.fillPoly(self.label, corners, [label], cv2.LINE_8, _SUBPIXEL_BITS)

    def draw_parts(
        self,
        pixels: Floats,
        corners: Iterable[int],
        colours: Floats,
        label: int,
        solid: Iterable[bool] = repeat(True),
        widths_px: Iterable[float] = repeat(0.0),
    ) -> None:
        """Draw the polygons and lines of one object in painter's order.

        Args:
            pixels: ``(K, 2)`` target pixels of all corners, part after part.
            corners: how many corners each part has.
            colours: ``(P, 3)`` in [0, 255].
            label: class of the object.
            solid: which parts reach the outline and so have to be drawn in the label.
            widths_px: target pixels; 0 fills the polygon, more draws an open line with round ends.
        """
        points = fixed_point(pixels)
        start = 0
        for count, colour, outer, width in zip(corners, colours.tolist(), solid, widths_px, strict=False):
            part = [points[start : start + count]]
            start += count
            targets = ((self.frame, colour), (self.label, [label])) if outer else ((self.frame, colour),)
            for image, value in targets:
                if width:
                    thickness = max(1, round(width * SUPERSAMPLING))
                    cv2.polylines(image, part, False, value, thickness, cv2.LINE_8, _SUBPIXEL_BITS)
                else:
                    cv2.fillPoly(image, part, value, cv2.LINE_8, _SUBPIXEL_BITS)

    def paste(self, texture: Texture, quad: Floats, tint: Floats, label: int) -> None:
        """Warp a texture onto a quad.

        Args:
            texture: what to paste; where it has a cut-out, only texels above 127 are.
            quad: ``(4, 2)`` target pixels: where the texture's top left, top right, bottom right and bottom left go.
            tint: ``(3, 4)`` affine colour map (light and haze) applied to every texel.
            label: class of what is pasted.
        """
        corners = quad * SUPERSAMPLING - 0.5
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, self.label.shape[::-1])
        if (low >= high).any():
            return
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        texels = texture.level(*_shown_size(corners))
        rows, columns = texels.shape[:2]
        source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32) - np.float32(0.5)
        target = (corners - low).astype(np.float32)
        region = np.s_[low[1] : high[1], low[0] : high[0]]
        if texels.shape[2] == 4:
            warp = cv2.getAffineTransform(source[:3], target[:3])
            image = cv2.warpAffine(cv2.transform(texels, _keep_alpha(tint)), warp, size, flags=cv2.INTER_LINEAR)
            mask = cv2.threshold(cv2.extractChannel(image, 3), 127, 255, cv2.THRESH_BINARY)[1]
            image = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB)
        else:
            warp = cv2.getPerspectiveTransform(source, target)
            tinted = cv2.transform(texels, tint)
            image = cv2.warpPerspective(tinted, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            mask = np.zeros(size[::-1], dtype=np.uint8)
            cv2.fillConvexPoly(mask, fixed_point(quad, low), 255, cv2.LINE_8, _SUBPIXEL_BITS)
        cv2.copyTo(image, mask, self.frame[region])
        cv2.copyTo(np.full(size[::-1], label, dtype=np.uint8), mask, self.label[region])

    def modulate(self, first_row: int, gain: Bytes, haze: Bytes | None = None) -> None:
        """Scale the frame from a target row downwards, then add haze to it.

        Args:
            first_row: target row.
            gain: ``(rows, W)`` uint8, 128 keeps a pixel.
            haze: ``(rows, 3)`` uint8 colour to add to each row.
        """
        below = self.frame[first_row * SUPERSAMPLING :]
        size = below.shape[1::-1]
        wide = cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(below, cv2.merge([wide, wide, wide]), below, scale=1 / 128)
        if haze is not None:
            cv2.add(below, cv2.resize(haze[:, None], size, interpolation=cv2.INTER_LINEAR), below)

    def finish(self) -> tuple[Bytes, Bytes]:
        """Shrink to the target size: ``(H, W, 3)`` uint8 frame and ``(H, W)`` uint8 label."""
        frame: Bytes = cv2.resize(self.frame, (self.width, self.height), interpolation=cv2.INTER_AREA)
        half = SUPERSAMPLING // 2
        return frame, self.label[half::SUPERSAMPLING, half::SUPERSAMPLING].copy()


def fixed_point(points: Floats, origin: NDArray[np.int_] | int = 0) -> NDArray[np.int32]:
    """Target pixels to OpenCV's fixed-point supersampled pixels, where whole numbers are pixel centres."""
    scaled = (points * SUPERSAMPLING - 0.5 - origin) * (1 << _SUBPIXEL_BITS)
    np.maximum(scaled, -_COORDINATE_LIMIT, out=scaled)
    np.minimum(scaled, _COORDINATE_LIMIT, out=scaled)
    whole: NDArray[np.int32] = np.rint(scaled, out=scaled).astype(np.int32)
    return whole


def tint_of(
    light: Light, normal: tuple[float, float, float], distance_m: float, colour: Floats | None = None
) -> Floats:
    """``(3, 4)`` colour map for :meth:`Canvas.paste`: light and haze, optionally scaled by a colour in [0, 1]."""
    share = light.haze(distance_m)
    tint = np.zeros((3, 4))
    tint[[0, 1, 2], [0, 1, 2]] = light.brightness(normal) * (1.0 - share) * (1.0 if colour is None else colour)
    tint[:, 3] = share * light.haze_colour
    return tint


def _keep_alpha(tint: Floats) -> Floats:
    """``(4, 5)`` colour map of a ``(3, 4)`` one that leaves a fourth channel alone."""
    wide = np.zeros((4, 5))
    wide[:3, :3], wide[:3, 4], wide[3, 3] = tint[:, :3], tint[:, 3], 1.0
    return wide


def _shown_size(corners: Floats) -> tuple[float, float]:
    """Longer of the two widths and of the two heights of a quad."""
    a, b, c, d = corners.tolist()
    return max(math.dist(a, b), math.dist(c, d)), max(math.dist(a, d), math.dist(b, c))
