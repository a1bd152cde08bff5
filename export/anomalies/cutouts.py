# SPDX-License-Identifier: Apache-2.0
"""Paste objects that belong to no scene on frames, to learn and to judge what is unknown where.

There are two families with no shape and no filling in common. ``learn`` has polygons and blobs, filled with pieces of other
frames, textures and gradients; pictures of a user's own may join it. ``judge`` has bodies of several ellipses and rings,
filled with lit solids, stripes and mosaics. A score that tells one from the scene after learning from the other has learned
more than how they are drawn.

Objects have soft edges, part of the scene's light, and the grain of the frame around them; the frame is then coded anew as
JPEG, with what was there before, so that neither grain nor coding gives an object away.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.anomalies.jpeg_coding import coded_as_jpeg
from export.anomalies.object_fillings import FILLINGS, filled
from export.anomalies.object_shapes import SHAPES, drawn_shape
from export.anomalies.own_cutouts import scaled
from export.anomalies.patterns import Bytes, Floats

LEARN, JUDGE = FAMILIES = ("learn", "judge")

MOST_OBJECTS = 3
"""On one frame."""

ON_PLACE = 0.7
"""Share of the objects that stand where the caller wants them; the others are anywhere."""

OWN_SHARE = 0.5
"""Share of the objects that are cut-outs of a user's own, where there are some."""

SMALLEST, LARGEST = 0.04, 0.3
"""Side of an object as a share of that of a square as large as the frame."""

_QUALITIES = (70, 96)
_EDGES = (0.4, 0.8, 1.4)
"""Deviations of the blur of an object's edge, pixels."""


@dataclass(frozen=True, eq=False)
class PastedObjects:
    """A frame with objects.

    Attributes:
        frame: ``(H, W, 3)`` uint8 RGB.
        cover: ``(H, W)`` float32 in [0, 1], how far objects cover each pixel.
    """

    frame: Bytes
    cover: Floats


def paste_objects(
    frame: Bytes,
    other: Bytes,
    family: str,
    places: NDArray[np.floating],
    rng: np.random.Generator,
    own: Sequence[Bytes] = (),
) -> PastedObjects:
    """Paste one to three objects on a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB; not modified.
        other: another frame, of any size, of whose pixels some fillings are made.
        family: ``learn`` or ``judge``.
        places: ``(P, 2)`` rows and columns of pixels, such as those of the road, of which most objects have their centre at
            one; of none they are anywhere.
        rng: draws them.
        own: cut-outs ``(h, w, 4)`` uint8 RGBA of a user's own, which are about as many of the objects as those drawn; without
            any, nothing more is drawn from ``rng``.
    """
    shown, cover = frame.astype(np.float32), np.zeros(frame.shape[:2], np.float32)
    for _ in range(int(rng.integers(1, MOST_OBJECTS + 1))):
        share = np.exp(rng.uniform(math.log(SMALLEST), math.log(LARGEST)))
        side = max(int(share * math.sqrt(cover.size)), 4)
        if own and rng.random() < OWN_SHARE:
            shape, content = _cutout(own[int(rng.integers(len(own)))], side, rng)
        else:
            shape = drawn_shape(str(rng.choice(SHAPES[family])), side, rng)
            content = filled(str(rng.choice(FILLINGS[family])), shape.shape, other, rng)
        there = len(places) > 0 and rng.random() < ON_PLACE
        centre = places[int(rng.integers(len(places)))] if there else rng.random(2) * cover.shape
        _put(shown, cover, shape, content, centre, rng)
    pixels = np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
    return PastedObjects(coded_as_jpeg(pixels, int(rng.integers(*_QUALITIES))), cover)


def _cutout(cutout: Bytes, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Cover and colours of a cut-out that is as large as a square of this side; every second one is mirrored."""
    mirrored = slice(None, None, int(rng.choice([-1, 1])))
    return scaled(cutout[:, mirrored], side / math.sqrt(cutout.shape[0] * cutout.shape[1]))


def _put(
    shown: Floats, cover: Floats, shape: Floats, content: Floats, centre: Floats, rng: np.random.Generator
) -> None:
    """Put an object on a frame, in place: what lies outside the frame is cut off."""
    blur = float(rng.choice(_EDGES))
    margin = math.ceil(3 * blur)
    soft = cv2.GaussianBlur(np.pad(shape, margin), (0, 0), blur)
    content = np.pad(content, ((margin, margin), (margin, margin), (0, 0)), "edge")
    top, left = (int(at - n / 2) for at, n in zip(centre, soft.shape, strict=True))
    rows, columns = (slice(max(at, 0), max(at + n, 0)) for at, n in zip((top, left), soft.shape, strict=True))
    own = slice(rows.start - top, None), slice(columns.start - left, None)
    under = shown[rows, columns]
    alpha, content = (part[own][: under.shape[0], : under.shape[1]] for part in (soft, content))
    lit = content + np.float32(rng.uniform(0, 0.5)) * (under.mean(axis=(0, 1)) - content.mean(axis=(0, 1)))
    lit = lit + rng.normal(size=lit.shape).astype(np.float32) * grain(under)
    shown[rows, columns] = under + alpha[..., None] * (lit - under)
    cover[rows, columns] = np.maximum(cover[rows, columns], alpha)


def grain(frame: Floats) -> np.float32:
    """Deviation of the noise of a picture ``(H, W, 3)``, by the median of its second differences; 0 of a tiny one."""
    if min(frame.shape[:2]) < _LEAST_FOR_GRAIN:
        return np.float32(0)
    second = frame[1:-1] - (frame[:-2] + frame[2:]) / 2
    return np.float32(np.median(np.abs(second)) / (_OF_MEDIAN * math.sqrt(1.5)))


_LEAST_FOR_GRAIN = 3
_OF_MEDIAN = 0.6745
"""Median magnitude of a normal variable of deviation 1; a second difference, with halves, has a variance of 1.5."""
