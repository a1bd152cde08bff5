# SPDX-License-Identifier: Apache-2.0
"""What patches show, from which abnormal tiles are learnt: surfaces, films, other pictures, and the picture itself changed.

None is drawn as a kind of degradation is, but some resemble one: ``lines`` dead lines, ``light`` a glare, ``surface`` and
``texture`` mud and occlusion, ``film`` dirt. They span what may lie on a lens or fail behind it, by wide random parameters.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from export.anomalies.lens import line_kernel
from export.anomalies.patterns import Bytes, Floats, blend, blurred, pattern


def patch_filling(filling: str, frame: Floats, other: Bytes, rng: np.random.Generator) -> Floats:
    """Draw what a patch shows.

    Args:
        filling: one of ``FILLINGS``.
        frame: ``(H, W, 3)`` float32 RGB in [0, 255]; not modified.
        other: ``(h, w, 3)`` uint8 RGB, a frame of any size, of which ``paste`` is made.
        rng: draws it.

    Returns:
        ``(H, W, 3)`` RGB, which may be outside of [0, 255].
    """
    return _FILLERS[filling](frame, other, rng)


def _colour(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A flat colour that lets some of the picture through."""
    return _over(frame, np.ones_like(frame) * rng.uniform(0, 255, 3), rng.uniform(0.6, 1))


def _texture(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A coloured texture of high contrast."""
    cells = int(rng.integers(8, 80))
    relief = (pattern(rng, (cells, 2 * cells), *frame.shape[:2]) - 0.5)[..., None] * rng.uniform(0.5, 1, 3)
    return _over(frame, rng.uniform(0, 255, 3) + relief * rng.uniform(40, 250), rng.uniform(0.6, 1))


def _surface(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A matt surface: nearly grey, of any brightness, unevenly lit, its texture fine or coarse and faint or strong."""
    light = _ramp(rng, frame)[..., None] * rng.uniform(0, 50)
    surface = _muted(rng) + light + _relief(rng, frame)[..., None] * _log_uniform(rng, 1, 20)
    return _over(frame, surface, rng.uniform(0.75, 1))


def _gradient(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """One colour that passes into another, slowly or at a line."""
    share = np.clip(0.5 + (_ramp(rng, frame) * _log_uniform(rng, 1, 4) + rng.uniform(-0.5, 0.5)) / 2, 0, 1)[..., None]
    return _over(frame, _muted(rng) * share + _muted(rng) * (1 - share), rng.uniform(0.6, 1))


def _film(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A cloudy film through which the picture shows, a little blurred."""
    cover = np.clip(rng.uniform(0.25, 0.75) + 0.18 * _relief(rng, frame), 0, 0.95)
    film = _muted(rng) + _relief(rng, frame)[..., None] * _log_uniform(rng, 1, 10)
    return blend(blurred(frame, rng.uniform(0, 0.01)), cover, film)


def _haze(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """A grey veil."""
    return _over(frame, np.full_like(frame, rng.uniform(90, 255)), rng.uniform(0.4, 0.8))


def _specks(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Many small spots, sharp or soft, of one colour."""
    height, width = frame.shape[:2]
    count = int(_log_uniform(rng, 60, 1200))
    drawing = np.zeros(_DRAWING, np.float32)
    centres = (rng.random((count, 2)) * _DRAWING[::-1]).astype(int)
    radii = rng.uniform(0.3, 1, count) * 0.3 * _DRAWING[1] / math.sqrt(count)
    for centre, radius, share in zip(centres.tolist(), radii, rng.uniform(0.5, 1, count), strict=True):
        cv2.circle(drawing, centre, max(1, round(radius)), share, -1)
    spots = blurred(cv2.resize(drawing, (width, height), interpolation=cv2.INTER_AREA), _log_uniform(rng, 0.001, 0.006))
    return blend(frame, spots * rng.uniform(0.6, 1), _muted(rng))


def _blur(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Out of focus."""
    return blurred(frame, max(rng.uniform(0.006, 0.03), _SEEN_PX / frame.shape[1]))


def _smear(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Smeared in one direction, under more or less of a veil."""
    kernel = line_kernel(_log_uniform(rng, 0.03, 0.15) * frame.shape[1], rng.uniform(0, math.pi))
    return _over(cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT), _muted(rng), rng.uniform(0, 0.5))


def _warp(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Seen through uneven glass."""
    (height, width), cells = frame.shape[:2], int(_log_uniform(rng, 4, 24))
    reach = 4 * _log_uniform(rng, 0.01, 0.06) * width
    right, down = (reach * (pattern(rng, (cells, cells * 3 // 2), height, width) - 0.5) for _ in range(2))
    v, u = np.mgrid[:height, :width].astype(np.float32)
    warped: Floats = cv2.remap(frame, u + right, v + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return warped


def _gain(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Darker or brighter."""
    return frame * np.float32(rng.uniform(0.2, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 3.5))


def _contrast(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Of little contrast about another colour."""
    faint: Floats = _muted(rng) + (frame - frame.mean(axis=(0, 1))) * np.float32(rng.uniform(0.1, 0.5))
    return faint


def _light(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Under added light, stronger at one side."""
    return frame + np.float32(rng.uniform(80, 500)) * (0.7 + 0.3 * _ramp(rng, frame) / math.sqrt(2))[..., None]


def _tint(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """In wrong colours: of other gains, of exchanged channels, glaring, or inverted."""
    how = rng.choice(("gains", "exchanged", "glaring", "inverted"))
    if how == "gains":
        return frame * np.exp(rng.normal(0, 0.5, 3)).astype(np.float32)
    if how == "exchanged":
        return frame[..., rng.choice(((1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)))]
    if how == "glaring":
        return _over(frame.mean(axis=2, keepdims=True), frame, rng.uniform(2, 4))
    return 255 - frame


def _noise(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """Grainy."""
    return frame + rng.normal(size=frame.shape).astype(np.float32) * np.float32(rng.uniform(12, 60))


def _paste(frame: Floats, other: Bytes, rng: np.random.Generator) -> Floats:
    """Of another frame, moved and mirrored."""
    height, width = frame.shape[:2]
    resized = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    moved = np.roll(resized, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
    mirrored: Floats = moved[::-1] if rng.random() < 0.5 else moved[:, ::-1]
    return mirrored


def _lines(frame: Floats, _other: Bytes, rng: np.random.Generator) -> Floats:
    """With some of its rows, or of its columns, of one grey, each of a grey of its own, moved, or repeated."""
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


_DRAWING = (256, 384)
"""Rows and columns on which specks are drawn, whatever the size of the frame."""


def _over(frame: Floats, content: Floats, strength: float) -> Floats:
    """A picture behind another one of so much strength."""
    return frame + (content - frame) * np.float32(strength)


def _muted(rng: np.random.Generator) -> Floats:
    """A colour, ``(3,)`` in [0, 255]: a grey of any brightness with more or less of a hue."""
    return np.clip(rng.uniform(0, 255) + rng.normal(0, rng.uniform(0, 30), 3), 0, 255)


def _ramp(rng: np.random.Generator, frame: Floats) -> Floats:
    """A slope of random direction over the picture, ``(H, W)`` in about [-1.4, 1.4]."""
    turn, (height, width) = rng.uniform(0, 2 * math.pi), frame.shape[:2]
    return np.add.outer(np.linspace(-1, 1, height) * math.sin(turn), np.linspace(-1, 1, width) * math.cos(turn))


def _relief(rng: np.random.Generator, frame: Floats) -> Floats:
    """Smooth noise about 0, of deviation 1, fine or coarse, ``(H, W)``."""
    cells = int(_log_uniform(rng, 4, 80))
    field = pattern(rng, (cells, cells * 3 // 2), *frame.shape[:2]) - 0.5
    return field / max(float(field.std()), _FLAT)


_SEEN_PX = 0.5
"""Least sigma of a blur that changes a small picture too."""

_FLAT = 1e-3
"""Deviation of a pattern, at least, by which it is divided."""


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


_FILLERS: dict[str, Callable[[Floats, Bytes, np.random.Generator], Floats]] = {
    "colour": _colour,
    "texture": _texture,
    "surface": _surface,
    "gradient": _gradient,
    "film": _film,
    "haze": _haze,
    "specks": _specks,
    "blur": _blur,
    "smear": _smear,
    "warp": _warp,
    "gain": _gain,
    "contrast": _contrast,
    "light": _light,
    "tint": _tint,
    "noise": _noise,
    "paste": _paste,
    "lines": _lines,
}

FILLINGS = tuple(_FILLERS)
"""Names of all fillings."""
