# SPDX-License-Identifier: Apache-2.0
"""Features of the network's own output: moments of the logits, numbers of each class, aggregated scores of the pixels.

They are read on a grid of the output's pixels: every second, fourth or eighth row and column of an output that leaves
``GRID_PIXELS`` on it, every pixel of a smaller one. Most networks enlarge their logits four times at the end, so that a grid
of every eighth holds every second of those that they computed; at full resolution the energy alone takes 1.9 % of a ResNet-50
frame in ONNX Runtime, on the grid 0.2 % (benchmarks/NOTES.md). A pixel of the grid is on the boundary where one of its four
neighbours at full resolution is of another class.
"""

import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from export.features.key import OUTPUT_SCORES, Aggregate, FeatureKey, FeatureKind
from export.layers.channel_moments import channel_moments
from lsood_runtime.offline import map_stride

GRID_PIXELS = 2048
_WORST = 0.05
_LEAST_UNION = 1e-6
"""Pixels, added to every union: a class may be ruled out everywhere. What is smaller is taken for 0 at conversion."""

_QUANTILES = {Aggregate.Q90: 0.9, Aggregate.Q95: 0.95}


def grid_stride(height: int, width: int) -> int:
    """Rows and columns from one pixel of the grid to the next, for an output of ``height`` x ``width``: 1, 2, 4 or 8."""
    fitting = (stride for stride in (8, 4, 2) if -(-height // stride) * -(-width // stride) >= GRID_PIXELS)
    return next(fitting, 1)


class OutputFeatures:
    """Features of a batch of logits, each computed when it is first asked for.

    Args:
        logits: ``(B, K, h, w)``, h and w fixed.
    """

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits
        self._scores: dict[FeatureKind, Aggregates] = {}

    def __getitem__(self, key: FeatureKey) -> Tensor:
        """``(B, D)`` float32 of one feature."""
        if key.grid is not None:
            return self._every_fourth(*key.grid).flatten(1)
        if key.kind is FeatureKind.LOGIT_MOMENTS:
            return channel_moments(self._grid)
        if key.kind is FeatureKind.CLASS_SHARE:
            return self._hits.mean(dim=(2, 3))
        if key.kind is FeatureKind.EXPECTED_IOU:
            return self._expected_iou
        assert key.aggregate is not None  # every other kind is computed inside the network
        if key.kind not in self._scores:
            self._scores[key.kind] = Aggregates(self._pixel_scores[key.kind].flatten(1))
        scores = self._scores[key.kind]
        if key.aggregate in (Aggregate.BOUNDARY, Aggregate.INTERIOR):
            inside = key.aggregate is Aggregate.INTERIOR
            return scores.mean_where(1 - self._boundary if inside else self._boundary)
        return scores[key.aggregate]

    def _every_fourth(self, rows: int, columns: int) -> Tensor:
        """``(B, K, rows, columns)``: the logits at the cells of a map, see :func:`map_stride`."""
        height, width = (int(size) for size in self._logits.shape[-2:])
        return self._logits[:, :, :: map_stride(height, rows), :: map_stride(width, columns)]

    @cached_property
    def classes(self) -> Tensor:
        """``(B, h, w)`` int64: the most likely class of each pixel."""
        return self._logits.argmax(dim=1)

    @cached_property
    def _stride(self) -> int:
        return grid_stride(*self._logits.shape[-2:])

    @cached_property
    def _grid(self) -> Tensor:
        return self._on_grid(self._logits)

    @cached_property
    def _class_numbers(self) -> Tensor:
        return self.classes.float()[:, None]

    def _on_grid(self, pixels: Tensor) -> Tensor:
        return pixels if self._stride == 1 else pixels[:, :, :: self._stride, :: self._stride]

    @cached_property
    def _hits(self) -> Tensor:
        """``(B, K, h, w)`` float32 on the grid: 1 where a class is the most likely one, 0 elsewhere."""
        numbers = torch.arange(self._grid.shape[1], dtype=torch.float32, device=self._grid.device)
        return (self._on_grid(self._class_numbers) == numbers[:, None, None]).float()

    @cached_property
    def _powers(self) -> tuple[Tensor, Tensor, Tensor]:
        """On the grid: the largest logit ``(B, 1, h, w)``, logits less that ``(B, K, h, w)``, and their exponentials."""
        largest = self._grid.amax(dim=1, keepdim=True)
        below = self._grid - largest
        return largest, below, below.exp()

    @property
    def _expected_iou(self) -> Tensor:
        """``(B, K)``: overlap of each class with labels that are as often of it as the probabilities say."""
        powers = self._powers[2]
        probabilities = powers / powers.sum(dim=1, keepdim=True)
        both = (self._hits * probabilities).sum(dim=(2, 3))
        either = (self._hits + (1 - self._hits) * probabilities).sum(dim=(2, 3))
        return both / (either + _LEAST_UNION)

    @cached_property
    def _pixel_scores(self) -> Mapping[FeatureKind, Tensor]:
        """``(B, h, w)`` on the grid of each kind; what is not read leaves no node in a graph."""
        largest, below, powers = self._powers
        total = powers.sum(dim=1)
        log_total = total.log()
        peak = largest[:, 0] + 0 * total  # ONNX Runtime's maximum passes over NaN, the sum does not
        scores = (log_total - (powers * below).sum(dim=1) / total, -1 / total, -peak, -(peak + log_total))
        return dict(zip(OUTPUT_SCORES, scores, strict=True))

    @cached_property
    def _boundary(self) -> Tensor:
        """``(B, n)``: 1 where a pixel of the grid has a neighbour of another class, 0 elsewhere.

        The largest and the least class of three pixels in a column and in a row are the pixel's own inside a region.
        """
        both = torch.cat([self._class_numbers, -self._class_numbers], dim=1)
        column = F.max_pool2d(both, (3, 1), self._stride, (1, 0))
        row = F.max_pool2d(both, (1, 3), self._stride, (0, 1))
        above = (column + row - 2 * self._on_grid(both)).sum(dim=1)
        return above.clamp(max=1).flatten(1)


class Aggregates:
    """Spatial aggregates of one score of every pixel.

    A pixel that is NaN makes every aggregate NaN: a sort may lose it, so that quantiles add the mean times nothing.

    Args:
        scores: ``(B, n)``, n fixed.
    """

    def __init__(self, scores: Tensor) -> None:
        self._scores, self._pixels = scores, int(scores.shape[1])
        self._mean = scores.mean(dim=1, keepdim=True)

    def __getitem__(self, aggregate: Aggregate) -> Tensor:
        """``(B, 1)`` of an aggregate that needs no class map."""
        if aggregate is Aggregate.MEAN:
            return self._mean
        if aggregate is Aggregate.WORST5:
            worst = self._highest[:, : self._worst].mean(dim=1, keepdim=True)
        else:
            position = (1 - _QUANTILES[aggregate]) * (self._pixels - 1)  # from the highest, as numpy interpolates
            first, share = int(position), position - int(position)
            worst = self._highest[:, first : first + 1]
            if share > 0:
                worst = worst * (1 - share) + self._highest[:, first + 1 : first + 2] * share
        return worst + 0 * self._mean

    def mean_where(self, mask: Tensor) -> Tensor:
        """Mean ``(B, 1)`` over the pixels of a mask ``(B, n)`` of 0 and 1; over all of them where the mask is empty."""
        count = mask.sum(dim=1, keepdim=True)
        empty = (1 - count).clamp(min=0)
        total = (self._scores * mask).sum(dim=1, keepdim=True)
        return (total + empty * self._mean) / (count + empty)

    @property
    def _worst(self) -> int:
        return math.ceil(_WORST * self._pixels)

    @cached_property
    def _highest(self) -> Tensor:
        """The scores from the highest down, as far as the aggregates read them."""
        lowest = int((1 - min(_QUANTILES.values())) * (self._pixels - 1)) + 2
        return self._scores.topk(min(self._pixels, max(lowest, self._worst)), dim=1).values
