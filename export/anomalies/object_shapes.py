# SPDX-License-Identifier: Apache-2.0
"""Outlines of objects that are pasted on frames, in two families without a shape in common."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies.patterns import Floats

_FINE = 4
"""Pixels of a drawing to a pixel of the shape."""


def drawn_shape(kind: str, side: int, rng: np.random.Generator) -> Floats:
    """Share of each pixel that an object covers, float32 in [0, 1].

    Args:
        kind: of ``SHAPES``.
        side: square root of the picture's area, pixels; the object fills most of it.
        rng: draws the outline, and how wide and high it is.
    """
    stretch = math.exp(rng.uniform(-0.5, 0.5))
    height, width = max(round(side * stretch), 3), max(round(side / stretch), 3)
    canvas = np.zeros((_FINE * height, _FINE * width), np.uint8)
    _DRAWERS[kind](canvas, rng)
    share: Floats = cv2.resize(canvas.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return share


def _polygon(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * math.pi, corners)) if rng.random() < 0.5 else _evenly(corners, rng)
    _outline(canvas, angles, rng.uniform(0.5, 1, corners))


def _blob(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * math.pi, 90, endpoint=False)
    waves = sum(rng.normal() / order * np.cos(order * angles + rng.uniform(0, 2 * math.pi)) for order in range(2, 7))
    radii = 1 + rng.uniform(0.1, 0.35) * np.asarray(waves)
    _outline(canvas, angles, radii / radii.max())


def _body(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """A trunk with a head and limbs, each an ellipse, in any direction."""
    size, turn = np.array(canvas.shape[::-1]), rng.uniform(0, 360)
    trunk = rng.uniform(0.18, 0.3), rng.uniform(0.28, 0.4)
    _ellipse(canvas, size * 0.5, size * trunk, turn)
    for _ in range(int(rng.integers(2, 7))):
        angle = rng.uniform(0, 2 * math.pi)
        centre = size * (0.5 + rng.uniform(0.2, 0.36) * np.array((math.cos(angle), math.sin(angle))))
        _ellipse(canvas, centre, size * (rng.uniform(0.05, 0.12), rng.uniform(0.08, 0.24)), rng.uniform(0, 360))


def _ring(canvas: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """A tyre, or the arc of one."""
    size, start = np.array(canvas.shape[::-1]), rng.uniform(0, 360)
    _ellipse(canvas, size * 0.5, size * 0.48, 0)
    if rng.random() < 0.5:
        _ellipse(canvas, size * 0.5, size * rng.uniform(0.15, 0.3), 0, 0)
    else:
        half = tuple(int(v) for v in size // 2)
        cv2.ellipse(canvas, half, tuple(int(v) for v in size), start, 0, rng.uniform(60, 200), 0, -1)


def _ellipse(
    canvas: NDArray[np.uint8], centre: NDArray[np.float64], axes: NDArray[np.float64], turn: float, value: int = 1
) -> None:
    at, half = ((int(v[0]), int(v[1])) for v in (centre, np.maximum(axes, 1)))
    cv2.ellipse(canvas, at, half, turn, 0, 360, value, -1)


def _evenly(corners: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(rng.uniform(0, 2 * math.pi) + np.arange(corners) * 2 * math.pi / corners)


def _outline(canvas: NDArray[np.uint8], angles: NDArray[np.float64], radii: NDArray[np.float64]) -> None:
    points = 0.5 + 0.5 * radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    cv2.fillPoly(canvas, [np.rint(points * (np.array(canvas.shape[::-1]) - 1)).astype(np.int32)], 1)


_DRAWERS: dict[str, Callable[[NDArray[np.uint8], np.random.Generator], None]] = {
    "polygon": _polygon,
    "blob": _blob,
    "body": _body,
    "ring": _ring,
}

SHAPES = {"learn": ("polygon", "blob"), "judge": ("body", "ring")}
"""Outlines of each family."""
