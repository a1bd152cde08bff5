# SPDX-License-Identifier: Apache-2.0
"""Greedy k-centre: of many frames those that lie furthest from each other, by their features."""

import math

import numpy as np
from numpy.typing import NDArray

_ROWS = 1024


def standardise(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each feature to mean 0 and standard deviation 1 over the frames; one that is the same in all is left out.

    Args:
        features: ``(N, D)``, finite.

    Returns:
        ``(N, D')``, divided by the root of D', so that a Euclidean distance is the root mean square over the features: 1 is
        one standard deviation in each, and two frames that were drawn at random are about 1.4 apart.
    """
    mean: NDArray[np.float64] = features.mean(axis=0, dtype=np.float64)
    spread: NDArray[np.float64] = features.std(axis=0, dtype=np.float64)
    varies = spread > 1e-6 * np.maximum(np.abs(mean), 1e-12)
    scale = spread[varies] * math.sqrt(max(1, int(varies.sum())))
    standard = np.empty((len(features), len(scale)), np.float32)
    for start in range(0, len(features), _ROWS):
        block = features[start : start + _ROWS, varies].astype(np.float64)
        standard[start : start + _ROWS] = (block - mean[varies]) / scale
    return standard


class Distances:
    """Distance of each frame to the nearest centre so far; infinite before the first.

    Picking the frame with the largest one, again and again, covers all frames with balls of at most twice the least radius
    that any choice of as many centres needs (Gonzalez 1985).

    Args:
        points: ``(N, D)`` float32.

    Attributes:
        to_nearest: ``(N,)`` float64.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        self._points = points
        self.to_nearest: NDArray[np.float64] = np.full(len(points), np.inf)

    def add_centre(self, place: int) -> None:
        """Make the frame at a place a centre."""
        for start in range(0, len(self._points), _ROWS):
            rows = slice(start, start + _ROWS)
            apart = self._points[rows].astype(np.float64) - self._points[place]
            distance = np.sqrt(np.einsum("ij,ij->i", apart, apart))
            self.to_nearest[rows] = np.minimum(self.to_nearest[rows], distance)
