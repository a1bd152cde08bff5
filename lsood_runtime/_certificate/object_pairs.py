# SPDX-License-Identifier: Apache-2.0
"""Pair the unknown objects of a frame on one provider with those on another, by their boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._maps.objects import UnknownObject

LEAST_OVERLAP = 0.5
"""Intersection over union from which on two boxes are of one object, as is usual for detectors."""


@dataclass(frozen=True, slots=True)
class ObjectPair:
    """An object, its partner, and the intersection over union of their boxes."""

    first: UnknownObject
    second: UnknownObject
    overlap: float


def pair_objects(first: Sequence[UnknownObject], second: Sequence[UnknownObject]) -> list[ObjectPair]:
    """Pairs of objects, the two whose boxes overlap most first; each object has one partner at most.

    Boxes whose intersection over union is below :data:`LEAST_OVERLAP` are never a pair.
    """
    overlaps = box_overlaps(_boxes(first), _boxes(second))
    pairs = []
    for place in np.argsort(-overlaps, axis=None, kind="stable"):
        i, j = divmod(int(place), len(second))
        if overlaps[i, j] >= LEAST_OVERLAP:
            pairs.append(ObjectPair(first[i], second[j], float(overlaps[i, j])))
            overlaps[i, :] = overlaps[:, j] = -1.0
    return pairs


def box_overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union ``(n, m)`` of boxes ``(n, 4)`` and ``(m, 4)``: left, upper, right and lower side."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    opposite = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.maximum(opposite - corner, 0.0), axis=2)
    of_first, of_second = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second))
    return np.asarray(common / (of_first[:, None] + of_second[None, :] - common))


def _boxes(objects: Sequence[UnknownObject]) -> NDArray[np.float64]:
    sides = [(each.x, each.y, each.x + each.width, each.y + each.height) for each in objects]
    return np.array(sides, np.float64).reshape(len(objects), 4)
