# SPDX-License-Identifier: Apache-2.0
"""How unknown each pixel of a frame is: a weighted sum of scores of the pixel, on a quarter of the frame's resolution.

The scores are those of the network's output (:mod:`export.answers.pixel_scores`) and the head: one linear layer, a
convolution of 1 x 1, over the logits and the outputs of a few layers, which was fitted to tell objects that were pasted on
clean frames from what was there before. The sum may be smoothed by the mean of a square around each pixel. It is
standardised: over clean frames its mean is 0 and its deviation 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from export.answers.columns import Values
from export.answers.pixel_scores import HEAD, SCORES_OF_A_PIXEL, STANDARDISED, Maps, standardised_maximum_logit
from export.features.key import FeatureKey


@dataclass(frozen=True, eq=False)
class MapHead:
    """One linear layer over the logits and the outputs of layers, each standardised by clean frames within the weights.

    Attributes:
        logits: ``(K,)`` weights of the logits.
        layers: ``(C,)`` weights of each layer's channels; a layer's own map ``(h', w')`` of weighted sums is enlarged to the
            grid of the logits bilinearly, corners not aligned, and added.
        offset: added to the sum.
    """

    logits: Maps
    layers: Mapping[FeatureKey, Maps]
    offset: float


@dataclass(frozen=True, eq=False)
class FittedMap:
    """What tells how unknown each pixel is.

    Attributes:
        key: of the map of logits, ``(K, h, w)`` in rows.
        slopes: of each score that is read, by its name, not 0; the scores of the network's output, and ``head``.
        offset: added to the weighted sum of the scores.
        smoothing: side of the square over whose pixels the sum is averaged, odd; 1 where it is not. Pixels outside the map
            do not count.
        class_centre: ``(K,)`` mean of the largest logit over the clean pixels of each class.
        class_scale: ``(K,)`` its deviation there, above 0.
        head: None where it is not read.
    """

    key: FeatureKey
    slopes: Mapping[str, float]
    offset: float
    smoothing: int
    class_centre: Maps
    class_scale: Maps
    head: MapHead | None

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """Features that are read: the map of logits, then those of layers."""
        return (self.key, *(() if self.head is None else self.head.layers))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        return grid_of_map(self.key)

    def anomaly_map(self, values: Values) -> NDArray[np.float32]:
        """How unknown each pixel of N frames is, ``(N, h, w)``; NaN where a number that it reads is not finite."""
        with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, as it is meant to be
            result = smoothed(self._sum(values), self.smoothing)
        return np.where(np.isfinite(result), result, np.nan).astype(np.float32)

    def _sum(self, values: Values) -> Maps:
        """The weighted sum of the scores, ``(N, h, w)``."""
        logits = as_maps(values[self.key], self.key)
        scores = pixel_scores(logits, self.class_centre, self.class_scale, tuple(self.slopes))
        if self.head is not None:
            scores[HEAD] = head_map(self.head, logits, values)
        total = np.full((len(logits), *self.grid), self.offset)
        for name, slope in self.slopes.items():
            total += slope * scores[name]
        return total


def grid_of_map(key: FeatureKey) -> tuple[int, int]:
    """Rows and columns of the map that a key is of.

    Raises:
        ValueError: it is of none.
    """
    if key.grid is None:
        raise ValueError(f"expected the key of a map, got {key}")
    return key.grid


def as_maps(rows: NDArray[np.floating], key: FeatureKey) -> Maps:
    """Maps ``(N, C, h, w)`` float64 of rows ``(N, C * h * w)``."""
    return np.asarray(rows, np.float64).reshape(len(rows), -1, *grid_of_map(key))


def pixel_scores(logits: Maps, centre: Maps, scale: Maps, names: tuple[str, ...]) -> dict[str, Maps]:
    """Scores ``(N, h, w)`` of the network's output, by those of the names that are of it.

    Args:
        logits: ``(N, K, h, w)``.
        centre: ``(K,)`` of the largest logit of each class.
        scale: ``(K,)``.
        names: of scores.
    """
    found = {name: SCORES_OF_A_PIXEL[name](logits) for name in names if name in SCORES_OF_A_PIXEL}
    if STANDARDISED in names:
        found[STANDARDISED] = standardised_maximum_logit(logits, centre, scale)
    return found


def head_map(head: MapHead, logits: Maps, values: Values) -> Maps:
    """What a head gives, ``(N, h, w)`` for maps of logits ``(N, K, h, w)``."""
    total = np.einsum("nkhw,k->nhw", logits, head.logits) + head.offset
    for key, weights in head.layers.items():
        total += enlarged(np.einsum("nchw,c->nhw", as_maps(values[key], key), weights), logits.shape[2:])
    return np.asarray(total)


def enlarged(maps: Maps, grid: tuple[int, ...]) -> Maps:
    """Maps ``(N, h', w')`` at another size ``(h, w)``, bilinear between the centres of pixels."""
    down, across = (between(size, new) for size, new in zip(maps.shape[1:], grid, strict=True))
    return np.asarray(np.einsum("ph,nhw,qw->npq", down, maps, across, optimize=True))


def between(size: int, new: int) -> Maps:
    """Weights ``(new, size)`` of linear interpolation between the centres of pixels; constant beyond the outermost."""
    low, high, share = neighbours(size, new)
    weights = np.zeros((new, size))
    weights[np.arange(new), low] = 1 - share
    weights[np.arange(new), high] += share
    return weights


def neighbours(size: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Maps]:
    """Of ``size`` pixels the two whose centres are next to each of ``new`` ones, and the share of the second, ``(new,)``."""
    places = np.clip((np.arange(new) + 0.5) * size / new - 0.5, 0, size - 1)
    low = np.minimum(places.astype(np.int64), max(size - 2, 0))
    return low, np.minimum(low + 1, size - 1), places - low


def smoothed(maps: Maps, side: int) -> Maps:
    """Mean ``(N, h, w)`` over the pixels of the map in a square of an odd side around each pixel."""
    if side == 1:
        return maps
    size = (1, side, side)
    inside = uniform_filter(np.ones((1, *maps.shape[1:])), size, mode="constant")
    return np.asarray(uniform_filter(maps, size, mode="constant") / inside)
