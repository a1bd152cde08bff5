# SPDX-License-Identifier: Apache-2.0
"""What objects that are pasted on frames look like inside, in two families without a filling in common."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from export.anomalies.patterns import Bytes, Floats, pattern

Size = tuple[int, ...]

_GREY = 0.5
"""Share of drawn colours that are nearly grey, as most of what lies on roads is."""


def filled(kind: str, size: Size, other: Bytes, rng: np.random.Generator) -> Floats:
    """Draw a filling.

    Args:
        kind: of ``FILLINGS``.
        size: rows and columns.
        other: ``(h, w, 3)`` uint8 RGB, a frame from which pieces or colours are taken.
        rng: draws it.

    Returns:
        ``(*size, 3)`` float32 in [0, 255].
    """
    drawn: Floats = np.clip(_FILLERS[kind](size, other, rng), 0, 255).astype(np.float32)
    return drawn


def _piece(size: Size, other: Bytes, rng: np.random.Generator) -> Floats:
    """A piece of the other frame: turned, at another size, in other colours."""
    scale = math.exp(rng.uniform(math.log(0.4), math.log(2.5)))
    turn = cv2.getRotationMatrix2D((0, 0), rng.uniform(0, 360), scale)
    source = np.array((rng.uniform(0, other.shape[1]), rng.uniform(0, other.shape[0])))
    turn[:, 2] = np.array(size[::-1]) / 2 - turn[:, :2] @ source
    piece: Floats = cv2.warpAffine(other, turn, size[::-1], borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    if rng.random() < 0.7:
        piece = piece @ (np.eye(3) + rng.normal(0, 0.2, (3, 3))).astype(np.float32)
        mean = piece.mean(axis=(0, 1))
        piece = (piece - mean) * rng.uniform(0.6, 1.8) + mean * rng.uniform(0.5, 1.6)
    return piece


def _texture(size: Size, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A colour with smooth variation, coarse or fine."""
    cells = int(rng.integers(2, 24))
    relief = (pattern(rng, (cells, cells), size[0], size[1]) - 0.5)[..., None]
    return colour(rng) + relief * rng.uniform(30, 300) * rng.uniform(0.6, 1, 3)


def _gradient(size: Size, _other: Bytes, rng: np.random.Generator) -> Floats:
    """From one colour to another in any direction."""
    angle = rng.uniform(0, 2 * math.pi)
    along = np.add.outer(np.linspace(-1, 1, size[0]) * math.sin(angle), np.linspace(-1, 1, size[1]) * math.cos(angle))
    share = (along / math.sqrt(2) + 1)[..., None] / 2
    first = colour(rng)
    second = colour(rng) if rng.random() < 0.5 else first * rng.uniform(0.3, 1.5)
    return np.asarray(first * (1 - share) + second * share)


def _solid(size: Size, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A rounded body under light from one side, with creases."""
    down, across = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    bulge = np.sqrt(np.clip(1.3 - down**2 - across**2, 0.05, None))
    height = bulge + rng.uniform(0.05, 0.4) * pattern(rng, (3, 3), size[0], size[1])
    slope_down, slope_across = np.gradient(height, 2 / max(size[0] - 1, 1), 2 / max(size[1] - 1, 1))
    angle = rng.uniform(-0.9, 0.9) * math.pi
    towards = np.array((math.cos(angle), math.sin(angle), rng.uniform(0.5, 1.5)))
    light = (towards[0] * slope_down + towards[1] * slope_across + towards[2]) / np.sqrt(
        slope_down**2 + slope_across**2 + 1
    )
    share = 0.5 + 0.9 * np.clip(light / np.linalg.norm(towards), 0, 1)
    return np.asarray(colour(rng) * share[..., None])


def _stripes(size: Size, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Stripes or checks of two colours."""
    angle, period = rng.uniform(0, math.pi), rng.uniform(0.15, 0.6) * max(size)
    down, across = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    along, beside = (
        np.sin(2 * math.pi * (down * math.sin(a) + across * math.cos(a)) / period) for a in (angle, angle + math.pi / 2)
    )
    waves = along if rng.random() < 0.6 else along * beside
    share = np.clip(0.5 + 2 * waves, 0, 1)[..., None]
    return np.asarray(colour(rng) * (1 - share) + colour(rng) * share)


def _mosaic(size: Size, other: Bytes, rng: np.random.Generator) -> Floats:
    """Facets, each of the colour of some pixel of the other frame."""
    count = int(rng.integers(4, 16))
    seeds = rng.random((count, 2)) * size[:2]
    down, across = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    nearest = ((down[..., None] - seeds[:, 0]) ** 2 + (across[..., None] - seeds[:, 1]) ** 2).argmin(axis=2)
    pixels = other.reshape(-1, 3)
    colours = pixels[rng.integers(len(pixels), size=count)].astype(np.float32) * rng.uniform(0.6, 1.4, (count, 1))
    return np.asarray(colours[nearest] + rng.normal(0, 6, (*size[:2], 1)))


def colour(rng: np.random.Generator) -> Floats:
    """A colour, ``(3,)`` in [0, 255]; some are nearly grey."""
    if rng.random() < _GREY:
        return np.asarray(rng.uniform(10, 245) + rng.normal(0, 8, 3))
    return np.asarray(rng.uniform(0, 255, 3))


_FILLERS: dict[str, Callable[[Size, Bytes, np.random.Generator], Floats]] = {
    "piece": _piece,
    "texture": _texture,
    "gradient": _gradient,
    "solid": _solid,
    "stripes": _stripes,
    "mosaic": _mosaic,
}

FILLINGS = {"learn": ("piece", "piece", "texture", "gradient"), "judge": ("solid", "stripes", "mosaic")}
"""Fillings of each family; what stands twice is drawn twice as often."""
