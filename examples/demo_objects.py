# SPDX-License-Identifier: Apache-2.0
"""Objects on the road that no scene of the demo's calibration has: a boulder and a stack of crates."""

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_SHARP = 8
"""Times that an object is drawn larger than it is shown."""


def put_boulder(frame: Bytes, centre: tuple[int, int], width: int, seed: int) -> tuple[Bytes, NDArray[np.bool_]]:
    """Lay a boulder on the road.

    Args:
        frame: ``(H, W, 3)`` RGB, left as it is.
        centre: ``(x, y)`` of its foot, pixels.
        width: of it, pixels.
        seed: of its shape and grain.

    Returns:
        The frame, and which pixels the boulder covers.
    """
    rng, size = np.random.default_rng(seed), width * _SHARP
    angle = np.sort(rng.uniform(0, 2 * np.pi, 14))
    radius = rng.uniform(0.36, 0.5, 14)
    down = 0.8 * radius * np.sin(angle)
    outline = np.stack([0.5 + radius * np.cos(angle), 0.98 + down - down.max()], axis=1) * size
    shape = np.zeros((size, size), np.uint8)
    cv2.fillPoly(shape, [outline.astype(np.int32)], 255)
    grain = cv2.resize(rng.normal(0, 1, (9, 9)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    light = np.linspace(1.25, 0.55, size, dtype=np.float32)[:, None]
    shade = np.clip((118 + 16 * grain) * light, 0, 255)
    colours = np.stack([shade * 1.05, shade * 0.96, shade * 0.84], axis=2)
    return _placed(frame, colours, shape, centre)


def put_crates(frame: Bytes, centre: tuple[int, int], width: int, seed: int) -> tuple[Bytes, NDArray[np.bool_]]:
    """Stand a stack of three coloured crates on the road; arguments and result as for :func:`put_boulder`."""
    rng, size = np.random.default_rng(seed), width * _SHARP
    colours, shape = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.uint8)
    half = size // 2
    for left, top, tint in ((0, half, (214, 120, 40)), (half, half, (46, 132, 190)), (half // 2, 0, (228, 196, 60))):
        cv2.rectangle(shape, (left, top), (left + half - 1, top + half - 1), 255, -1)
        cv2.rectangle(colours, (left, top), (left + half - 1, top + half - 1), tint, -1)
        for slat in range(1, 5):
            height = top + slat * half // 5
            dark = tuple(0.6 * each for each in tint)
            cv2.line(colours, (left, height), (left + half - 1, height), dark, max(1, size // 60))
        cv2.rectangle(colours, (left, top), (left + half - 1, top + half - 1), (40, 30, 20), max(1, size // 50))
    colours += rng.normal(0, 6, (size, size, 1)).astype(np.float32)
    return _placed(frame, colours, shape, centre)


def _placed(
    frame: Bytes, colours: NDArray[np.float32], shape: Bytes, centre: tuple[int, int]
) -> tuple[Bytes, NDArray[np.bool_]]:
    """The frame with an object whose foot stands at a place, and a shadow under it."""
    size = shape.shape[0] // _SHARP
    small = cv2.resize(colours, (size, size), interpolation=cv2.INTER_AREA)
    share = cv2.resize(shape, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255
    left, top = centre[0] - size // 2, centre[1] - size
    mixed = frame.astype(np.float32)
    shadow = np.zeros(frame.shape[:2], np.float32)
    cv2.ellipse(shadow, centre, (size * 6 // 10, max(2, size // 8)), 0, 0, 360, 0.5, -1)
    mixed *= 1 - cv2.GaussianBlur(shadow, (0, 0), 2)[..., None]
    place = (slice(top, top + size), slice(left, left + size))
    mixed[place] = mixed[place] * (1 - share) + np.clip(small, 0, 255) * share
    covered = np.zeros(frame.shape[:2], np.bool_)
    covered[place] = share[..., 0] > 0.5
    return np.round(mixed).astype(np.uint8), covered
