# SPDX-License-Identifier: Apache-2.0
"""Replace a part of a frame by what does not belong there, to learn which tiles are abnormal.

A patch has a random place, shape, softness and filling, by which a fit is to tell what does not belong to the scene. None is
drawn as a kind of degradation is, but some resemble one: ``lines`` dead lines, ``light`` a glare, ``texture`` mud. Pasting a
part of another frame, or a flat or noisy one, is how anomaly detection learns without anomalies (CutPaste; Li et al. 2021).
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies.patterns import Bytes, Floats, blend, blurred, pattern

FILLINGS = ("colour", "texture", "blur", "gain", "noise", "paste", "haze", "lines", "light")
"""A flat colour, a coloured texture, out of focus, darker or brighter, grainy, of another frame, behind a grey veil, with
rows or columns that are stuck, moved or repeated, under added light."""

_SMALLEST, _LARGEST = 0.02, 0.5
"""Shares of the picture that a patch covers at least and at most."""

_TRIES = 20
_BANDS, _LINE_BANDS = 0.2, 0.6
"""Shares of the patches that are bands across the picture, and of those of lines."""


def patched(frame: Bytes, other: Bytes, filling: str, rng: np.random.Generator) -> tuple[Bytes, NDArray[np.bool_]]:
    """Replace a part of a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        other: a frame of any size, of which a filling of kind ``paste`` is made.
        filling: one of ``FILLINGS``.
        rng: draws the patch.

    Returns:
        The patched frame, and ``(H, W)`` bool: where the patch shows with half of its strength or more.
    """
    height, width = frame.shape[:2]
    bands = _LINE_BANDS if filling == "lines" else _BANDS
    shape = _shape(rng, height, width, bands)
    for _ in range(_TRIES):
        if _SMALLEST < float((shape > 0.5).mean()) < _LARGEST:
            break
        shape = _shape(rng, height, width, bands)
    content, strength = _filling(frame.astype(np.float32), other, filling, rng)
    mixed = blend(frame.astype(np.float32), shape * np.float32(strength), content)
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8), shape > 0.5


def _shape(rng: np.random.Generator, height: int, width: int, bands: float) -> Floats:
    """How far a patch covers each pixel, ``(height, width)`` float32: a blot, a band across the picture, or an edge of it.

    Bands are a share ``bands`` of the shapes, and three in four of the others are blots.
    """
    u, v = np.meshgrid(np.arange(width) / width - 0.5, (np.arange(height) - height / 2) / width)
    reach = height / width / 2
    waves = 4 * (pattern(rng, (4, 6), height, width) - 0.5)
    kind = rng.choice(("blot", "band", "edge"), p=(0.75 * (1 - bands), bands, 0.25 * (1 - bands)))
    if kind == "blot":
        turn, (long, short) = rng.uniform(0, math.pi), np.exp(rng.uniform(math.log(0.08), math.log(0.35), 2))
        u, v = u - rng.uniform(-0.5, 0.5), v - rng.uniform(-reach, reach)
        along, across = u * math.cos(turn) + v * math.sin(turn), v * math.cos(turn) - u * math.sin(turn)
        outside = np.hypot(along / long, across / short) - 1 + rng.uniform(0, 0.25) * waves
    else:
        turn = rng.choice((0, math.pi / 2)) if kind == "band" else rng.uniform(0, 2 * math.pi)
        along = u * math.cos(turn) + v * math.sin(turn)
        end = abs(math.cos(turn)) / 2 + reach * abs(math.sin(turn))
        half = rng.uniform(0.06, 0.25) * 2 * end
        centre = rng.uniform(-0.9, 0.9) * end if kind == "band" else end
        outside = np.abs(along - centre) / half - 1 + rng.choice((0, 0.2)) * waves
    softness = rng.choice((0.02, 0.1, 0.3))
    share: Floats = np.clip(0.5 - outside / softness / 2, 0, 1).astype(np.float32)
    return share


def _filling(frame: Floats, other: Bytes, filling: str, rng: np.random.Generator) -> tuple[Floats, float]:
    """What the patch shows, ``(H, W, 3)``, and its strength."""
    height, width = frame.shape[:2]
    flat = np.ones_like(frame)
    if filling == "colour":
        return flat * rng.uniform(0, 255, 3).astype(np.float32), rng.uniform(0.6, 1)
    if filling == "texture":
        cells = int(rng.integers(8, 80))
        relief = (pattern(rng, (cells, 2 * cells), height, width) - 0.5)[..., None] * rng.uniform(0.5, 1, 3)
        return flat * rng.uniform(0, 255, 3) + relief * rng.uniform(40, 250), rng.uniform(0.6, 1)
    if filling == "blur":
        return blurred(frame, rng.uniform(0.006, 0.03)), 1.0
    if filling == "gain":
        return frame * np.float32(rng.uniform(0.2, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 3.5)), 1.0
    if filling == "noise":
        grain = rng.normal(size=frame.shape).astype(np.float32)
        return frame + grain * np.float32(rng.uniform(12, 60)), 1.0
    if filling == "paste":
        resized = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        moved = np.roll(resized, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
        return (moved[::-1] if rng.random() < 0.5 else moved[:, ::-1]), 1.0
    if filling == "lines":
        return _broken_lines(frame, rng), 1.0
    if filling == "light":
        turn = rng.uniform(0, 2 * math.pi)
        along = np.add.outer(np.linspace(-1, 1, height) * math.sin(turn), np.linspace(-1, 1, width) * math.cos(turn))
        return frame + np.float32(rng.uniform(80, 500)) * (0.7 + 0.3 * along / math.sqrt(2))[..., None], 1.0
    return flat * np.float32(rng.uniform(90, 255)), rng.uniform(0.4, 0.8)


def _broken_lines(frame: Floats, rng: np.random.Generator) -> Floats:
    """The frame with some of its rows, or of its columns, of one grey, each of a grey of its own, moved, or repeated."""
    turned = rng.random() < 0.5
    lines = (frame.transpose(1, 0, 2) if turned else frame).copy()
    broken = np.flatnonzero(rng.random(len(lines)) < rng.uniform(0.2, 1))
    how = rng.choice(("grey", "greys", "moved", "repeated"))
    if how == "grey":
        lines[broken] = rng.uniform(0, 255)
    elif how == "greys":
        lines[broken] = rng.uniform(0, 255, (len(broken), 1, 1))
    elif how == "moved":
        steps = rng.integers(-lines.shape[1] // 4, lines.shape[1] // 4 + 1, len(broken))
        lines[broken] = [np.roll(lines[line], step, 0) for line, step in zip(broken, steps, strict=True)]
    else:
        lines[broken] = lines[broken - broken % int(rng.integers(2, 17))]
    whole: Floats = lines.transpose(1, 0, 2) if turned else lines
    return whole
