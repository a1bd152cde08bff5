# SPDX-License-Identifier: Apache-2.0
"""Outlines of the patches from which abnormal tiles are learnt: blots, clusters of them, bands, edges of the picture."""

import math

import numpy as np

from export.anomalies.patterns import Floats, pattern

_SMALLEST, _LARGEST = 0.02, 0.5
"""Shares of the picture that a patch covers at least and at most."""

_TRIES = 20
_BANDS, _LINE_BANDS = 0.2, 0.6
"""Shares of the patches that are bands across the picture, and of those of lines."""

_RIMS = (0.02, 0.1, 0.3, 0.6)
"""Widths of the rims, over which a patch fades, by its radius: from a hard one to what lies on the lens, far out of focus."""


def patch_shape(filling: str, height: int, width: int, rng: np.random.Generator) -> Floats:
    """Draw how far a patch covers each pixel.

    Args:
        filling: of the patch; ``lines`` lie in bands more often than others.
        height: rows of the frame.
        width: columns of the frame.
        rng: draws place, outline and rim.

    Returns:
        ``(height, width)`` float32 in [0, 1]; where it is above 0.5 lies the patch.
    """
    bands = _LINE_BANDS if filling == "lines" else _BANDS
    shape = _shape(rng, height, width, bands)
    for _ in range(_TRIES):
        if _SMALLEST < float((shape > 0.5).mean()) < _LARGEST:
            break
        shape = _shape(rng, height, width, bands)
    return shape


def _shape(rng: np.random.Generator, height: int, width: int, bands: float) -> Floats:
    """A blot, a cluster of blots, a band across the picture, or an edge of it.

    Bands are a share ``bands`` of the shapes, and of the others a fifth are edges, and a quarter clusters.
    """
    others = 1 - bands
    kind = rng.choice(("blot", "cluster", "band", "edge"), p=(0.55 * others, 0.25 * others, bands, 0.2 * others))
    outside = _stripe(rng, height, width, kind) if kind in ("band", "edge") else _blots(rng, height, width, kind)
    share: Floats = np.clip(0.5 - outside / rng.choice(_RIMS) / 2, 0, 1).astype(np.float32)
    return share


def _blots(rng: np.random.Generator, height: int, width: int, kind: str) -> Floats:
    """Distances from the nearest of one or several ellipses in their radii, negative inside; their outline is ragged."""
    u, v, reach = _places(height, width)
    count, largest, spread = (1, 0.35, 0.0) if kind == "blot" else (int(rng.integers(2, 7)), 0.2, 0.15)
    middle = np.array((rng.uniform(-0.5, 0.5), rng.uniform(-reach, reach)))
    outside = np.full((height, width), np.inf)
    for _ in range(count):
        turn, (long, short) = rng.uniform(0, math.pi), np.exp(rng.uniform(math.log(0.08), math.log(largest), 2))
        right, down = middle + spread * rng.normal(size=2)
        along = (u - right) * math.cos(turn) + (v - down) * math.sin(turn)
        across = (v - down) * math.cos(turn) - (u - right) * math.sin(turn)
        outside = np.minimum(outside, np.hypot(along / long, across / short) - 1)
    cells = int(rng.choice((4, 8, 16)))
    ragged: Floats = outside + rng.uniform(0, 0.3) * _waves(rng, cells, height, width)
    return ragged


def _stripe(rng: np.random.Generator, height: int, width: int, kind: str) -> Floats:
    """Distances from a band across the picture, or from an edge of it, in half its width, negative inside."""
    u, v, reach = _places(height, width)
    waves = _waves(rng, 4, height, width)
    turn = rng.choice((0, math.pi / 2)) if kind == "band" else rng.uniform(0, 2 * math.pi)
    along = u * math.cos(turn) + v * math.sin(turn)
    end = abs(math.cos(turn)) / 2 + reach * abs(math.sin(turn))
    half = rng.uniform(0.06, 0.25) * 2 * end
    middle = rng.uniform(-0.9, 0.9) * end if kind == "band" else end
    distance: Floats = np.abs(along - middle) / half - 1 + rng.choice((0, 0.2)) * waves
    return distance


def _places(height: int, width: int) -> tuple[Floats, Floats, float]:
    """Positions of the pixels from the middle in widths of the frame, across and down, and half of its height."""
    u, v = np.meshgrid(np.arange(width) / width - 0.5, (np.arange(height) - height / 2) / width)
    return u, v, height / width / 2


def _waves(rng: np.random.Generator, cells: int, height: int, width: int) -> Floats:
    """Smooth random field about 0, of so many cells from top to bottom."""
    return 4 * (pattern(rng, (cells, cells * 3 // 2), height, width) - 0.5)
